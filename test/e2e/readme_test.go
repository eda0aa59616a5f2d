package e2e_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/server"
)

// block is a code block of the README. Those that are files have the name in backquotes before them.
var block = regexp.MustCompile("(?m)(?:^`([^`\n]+)`\n\n)?^```(\\w*)\n((?:.*\n)*?)^```$")

// What a newcomer does with the README works as it stands there: the service is built from the files
// that it shows, and its command lines, word for word, bring the answer to the order that they send.
func TestReadmeServiceAnswersItsOrder(t *testing.T) {
	layer3(t)
	t.Parallel()
	tree, err := filepath.Abs(filepath.Join("..", ".."))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	lines := unpack(t, filepath.Join(tree, "README.md"), dir)
	service := buildThere(t, tree, dir)

	addrs, err := server.FreeAddrs(2)
	if err != nil {
		t.Fatal(err)
	}
	env := []string{
		"PATH=" + filepath.Dir(binary) + string(os.PathListSeparator) + os.Getenv("PATH"),
		"LEAT_KAFKA_BROKERS=" + addrs[0], "LEAT_LISTEN=" + addrs[1], "LEAT_DATABASE_URL=sqlite:data", "NO_COLOR=1",
	}
	dev := "exec " + line(t, lines, "leat dev") + " --data dev --registry 127.0.0.1:0 --listen " + addrs[0]
	broker := start(t, server.ProgramConfig{Argv: []string{"sh", "-c", dev}, Env: env, Dir: dir, Log: filepath.Join(dir, "dev.log")})
	eventually := func(command, word string) (text string) {
		leattest.Eventually(t, fmt.Sprintf("%q says %q", command, word), func() error {
			select {
			case <-broker.Done():
				t.Fatal("the broker has ended")
			default:
			}
			var err error
			if text, err = shell(dir, env, command); err == nil && !strings.Contains(text, word) {
				err = errors.New(text)
			}
			return err
		})
		return text
	}
	eventually("leat topic list", "")
	start(t, server.ProgramConfig{Argv: []string{service}, Env: env, Dir: dir, Log: filepath.Join(dir, "service.log")})

	sent, err := shell(dir, env, line(t, lines, "leat send "))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^acme\.orders/\d+@0$`).MatchString(sent) {
		t.Errorf("leat send does not tell where the order lies: %s", sent)
	}
	got := eventually(line(t, lines, "leat tail "), "acme.payment.succeeded.v1")
	if !strings.Contains(got, `key=o-1 acme.payment.succeeded.v1 {"order_id":"o-1"}`) {
		t.Errorf("leat tail shows %s", got)
	}
}

// unpack writes the README's files to dir and returns the lines of its shell blocks without their
// comments.
func unpack(t *testing.T, readme, dir string) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(readme)
	if err != nil {
		t.Fatal(err)
	}
	comment := regexp.MustCompile(`\s+#.*`)
	for _, b := range block.FindAllStringSubmatch(string(text), -1) {
		name, language, code := b[1], b[2], b[3]
		if language == "sh" {
			for l := range strings.Lines(code) {
				lines = append(lines, strings.TrimSpace(comment.ReplaceAllString(l, "")))
			}
		}
		if name == "" {
			continue
		}
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(code), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return lines
}

// line is the README's only command line that begins with those words.
func line(t *testing.T, lines []string, words string) (found string) {
	t.Helper()
	for _, l := range lines {
		if strings.HasPrefix(l, words) {
			if found != "" {
				t.Fatalf("the README has several lines that begin with %q", words)
			}
			found = l
		}
	}
	if found == "" {
		t.Fatalf("the README has no line that begins with %q: %q", words, lines)
	}
	return found
}

// buildThere builds the module in dir against this tree.
func buildThere(t *testing.T, tree, dir string) (program string) {
	t.Helper()
	sums, err := os.ReadFile(filepath.Join(tree, "go.sum"))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	program = filepath.Join(dir, "payment")
	for _, argv := range [][]string{
		{"go", "mod", "edit", "-replace=github.com/leatdev/leat=" + tree},
		{"go", "build", "-mod=mod", "-o", program, "."},
	} {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), "GOWORK=off")
		if text, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(argv, " "), err, text)
		}
	}
	return program
}

// shell runs a command line and returns what it prints, with both streams in the error.
func shell(dir string, env []string, command string) (string, error) {
	cmd := exec.Command("sh", "-c", command)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	text, err := cmd.Output()
	if err != nil {
		var said []byte
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			said = exit.Stderr
		}
		return "", fmt.Errorf("%s: %w\n%s%s", command, err, text, said)
	}
	return string(text), nil
}
