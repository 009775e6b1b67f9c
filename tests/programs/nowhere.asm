# `_` names no register: it reads as 0.
# expect: base=4 memory=3,3,3,3 steps=9 -> memory=0,3,3,3 steps=2 halted=1
    write 0 _
    halt
