# Appendix: array access. Cell 0 holds an index into the array that starts at cell 1.
# expect: base=8 memory=2,5,6,7,0,0,0,0 steps=99 -> memory=7,5,6,7,0,0,0,0 steps=5 halted=1
# expect: base=8 memory=0,5,6,7,0,0,0,0 steps=4 -> memory=5,5,6,7,0,0,0,0 halted=0
    read 0 1
    inc 1 1
    read 1 1
    write 0 1
    halt
