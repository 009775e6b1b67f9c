# Appendix: a loop that does nothing but count. The place for a body is two no-ops.
# expect: base=8 memory=1,2,3,4,5,6,7,0 steps=20 -> memory=1,2,3,4,5,6,7,0 registers=0,0,0,5,0
loop:
    noop
    noop
    inc 3 3
    jump 4 loop
