// Command mutants breaks the product on purpose, one rule at a time, and shows that the test which
// guards the rule turns red.
//
// # What
//
// A mutant is a txtar file under testdata: a header of "key: value" lines (promise, package, test,
// and where needed tags and env), a file "old PATH" with text that occurs exactly once in PATH, and
// a file "new" with what stands in its place. The change reaches the compiler as an overlay; the
// tree is never touched.
//
// # Use
//
//	go run ./test/mutants            # all of them
//	go run ./test/mutants relay inbox # those whose names contain one of the words
//
// # Guarantees
//
// A mutant counts as caught only when its test ran and failed: a mutant that does not compile, a
// test that was skipped or not found, and a test that fails without the mutant are errors.
//
// # Failure
//
// Exit 1 names every mutant that survived or could not be judged.
//
// # Test
//
// main_test.go checks in every build that each mutant still applies and that docs/guarantees.md
// names a test and a mutant for each promise.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"
)

func main() {
	timeout := flag.Duration("timeout", 3*time.Minute, "limit for one run of one test")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, ".", flag.Args(), *timeout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, root string, words []string, timeout time.Duration) error {
	mutants, err := load(root)
	if err != nil {
		return err
	}
	mutants = slices.DeleteFunc(mutants, func(m mutant) bool { return !m.matches(words) })
	unsound := sound(ctx, root, mutants, timeout)
	var bad []string
	caught := 0
	for _, m := range mutants {
		start := time.Now()
		verdict, detail := judge(ctx, root, m, timeout)
		if out, fails := unsound[m.name]; fails {
			verdict, detail = errorVerdict, "its test fails without it:\n"+out
		}
		fmt.Printf("%-9s %-44s %s %s (%.1f s)\n", verdict, m.name, m.pkg, m.test, time.Since(start).Seconds())
		if verdict == caughtVerdict {
			caught++
			continue
		}
		bad = append(bad, m.name)
		fmt.Println(indent(detail))
	}
	fmt.Printf("%d passed, %d failed\n", caught, len(bad))
	if len(bad) > 0 {
		return fmt.Errorf("mutants not caught: %s", strings.Join(bad, ", "))
	}
	if caught == 0 {
		return fmt.Errorf("no mutant matches %q", words)
	}
	return ctx.Err()
}

func indent(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > 25 {
		lines = lines[len(lines)-25:]
	}
	return "    " + strings.Join(lines, "\n    ")
}
