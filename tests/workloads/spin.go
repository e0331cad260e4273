// Half of the time in `heavy`, a quarter each in `light` and in a look at the clock, which Go does on another stack.
//
// spin SECONDS: at its end it says `truth NAME SHARE` of the three, as it saw them itself, and `cpu SECONDS`.
package main

import (
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

var sink uint64

//go:noinline
func work(rounds int) {
	x := sink
	for i := 0; i < rounds; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	sink = x
}

//go:noinline
func heavy(rounds int) { work(rounds); sink++ }

//go:noinline
func light(rounds int) { work(rounds); sink++ }

//go:noinline
func clocks(until time.Time) {
	for time.Now().Before(until) {
	}
	sink++
}

//go:noinline
func turn(rounds int, spent *[3]time.Duration) {
	begin := time.Now()
	heavy(2 * rounds)
	middle := time.Now()
	light(rounds)
	end := time.Now()
	clocks(end.Add(end.Sub(middle)))
	spent[0] += middle.Sub(begin)
	spent[1] += end.Sub(middle)
	spent[2] += time.Since(end)
}

func main() {
	seconds, _ := strconv.Atoi(os.Args[1])
	deadline := time.Now().Add(time.Duration(seconds) * time.Second)
	var spent [3]time.Duration
	done := make(chan struct{})
	go func() {
		for time.Now().Before(deadline) {
			turn(1000000, &spent)
		}
		close(done)
	}()
	<-done
	all := spent[0] + spent[1] + spent[2]
	for i, name := range []string{"main.heavy", "main.light", "main.clocks"} {
		fmt.Printf("truth %s %.4f\n", name, float64(spent[i])/float64(all))
	}
	var usage syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	fmt.Printf("cpu %.3f\n", time.Duration(usage.Utime.Nano()+usage.Stime.Nano()).Seconds())
}
