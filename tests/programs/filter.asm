# Appendix: filter. Every cell becomes its value modulo register 6, up to the cell named in register 4.
# expect: base=8 memory=3,1,2,5,7,4,6,7 registers=0,0,0,0,2,0,2 steps=21 -> memory=1,1,0,5,7,4,6,7
filter_loop:
    read 3 2
    mod 2 6 1
    write 3 1
    inc 3 3
    max 3 4 5
    sub 4 5 5
    jump 5 filter_loop
