# Listing 1: sum-reduce. Cells 0, 1 and 2 are added up into cell 3.
# expect: base=8 memory=3,1,2,0,0,0,0,0 steps=21 -> memory=3,1,2,6,0,0,0,0
# expect: base=8 memory=7,6,5,4,3,2,1,0 steps=21 -> memory=7,6,5,2,3,2,1,0
    inc 4 4
    inc 4 4
sum_loop:
    read 3 2
    add 1 2 1
    inc 3 3
    max 3 4 5
    sub 4 5 5
    jump 5 sum_loop
    write 3 1
