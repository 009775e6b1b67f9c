# A label after the last line is the line that follows it: a noop if the machine has room, else line 0.
# expect: base=4 memory=0,0,0,0 registers=0,0 lines=2 steps=4 -> registers=2,0
# expect: base=4 memory=0,0,0,0 registers=0,0 lines=3 steps=4 -> registers=2,0
    inc 0 0
    jump 1 end
end:
