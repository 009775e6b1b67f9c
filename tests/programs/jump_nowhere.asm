# `_` names no line either: a jump to it falls through.
# expect: base=4 memory=3,3,3,3 registers=0,0,0,0 steps=9 -> memory=3,3,3,3 registers=0,1,0,0 steps=3 halted=1
    jump 0 _
    inc 0 1
    halt
