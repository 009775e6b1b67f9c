# The line after the last is line 0: these four lines are a loop without a jump.
# expect: base=8 memory=3,1,2,7,0,5,5,5 steps=20 -> memory=4,2,3,0,1,5,5,5
    read 1 2
    inc 2 2
    write 1 2
    inc 1 1
