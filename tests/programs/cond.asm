# Appendix: a condition. Register 2 is even: register 1 is written; odd: it is not.
# expect: base=8 memory=1,1,1,1,1,1,1,1 registers=0,0,4,2,5 steps=4 -> memory=1,1,1,1,1,0,1,1
# expect: base=8 memory=1,1,1,1,1,1,1,1 registers=0,0,3,2,5 steps=4 -> memory=1,1,1,1,1,1,1,1
cond:
    mod 2 3 1
    jump 1 true
    jump 0 false
true:
    write 4 1
false:
    read 4 1
