# Listing 1: map. One cell a turn of the loop, and no end.
# expect: base=8 memory=3,1,2,7,0,5,5,5 steps=25 -> memory=4,2,3,0,1,5,5,5
# expect: base=8 memory=3,1,2,7,0,5,5,5 steps=5 -> memory=4,1,2,7,0,5,5,5 registers=0,1,4,0
map_loop:
    read 1 2
    inc 2 2
    write 1 2
    inc 1 1
    jump 3 map_loop
