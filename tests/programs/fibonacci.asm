# Listing 1: Fibonacci. It keeps the last value in the next cell and overwrites it.
# expect: base=16 memory=0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0 steps=29 -> memory=1,2,3,5,8,0,0,0,0,0,0,0,0,0,0,0
# expect: base=8 memory=0,0,0,0,0,0,0,0 steps=29 -> memory=1,2,3,5,0,0,0,0
    inc 2 2
fib_loop:
    write 3 2
    add 1 2 2
    read 3 1
    write 3 2
    inc 3 3
    jump 4 fib_loop
