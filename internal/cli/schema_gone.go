package cli

import (
	"bytes"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/leatdev/leat/schema"
)

// contractGone is the verdict on what is in use and no contract is of any more.
const contractGone = "gone"

// gone tells what the baseline has and no contract is of: of the directories that were named, and of
// the topics of services. A registry keeps what was, and is not asked.
func gone(ctx context.Context, base baseline, dirs []string, contracts []contract) ([]checkView, error) {
	if _, ok := base.(registryBaseline); ok {
		return nil, nil
	}
	there, topics := map[string]bool{}, map[string]bool{}
	for _, c := range contracts {
		there[c.subject] = true
		if c.topic != "" {
			topics[c.topic] = true
		}
		if c.fault != "" {
			continue
		}
		record, others, err := c.elsewhere()
		if err != nil {
			continue // no schema, which is told already
		}
		for _, o := range others {
			was, _, err := o.versionsOf(ctx, base, record)
			if err != nil {
				return nil, err
			}
			there[o.subject] = there[o.subject] || len(was) > 0 // the contract goes on from there
		}
	}
	switch b := base.(type) {
	case gitBaseline:
		return b.gone(ctx, dirs, there, contracts)
	case dirBaseline:
		return b.gone(ctx, len(dirs) > 0, there, topics)
	}
	return nil, nil
}

func (b gitBaseline) gone(ctx context.Context, dirs []string, there map[string]bool, contracts []contract) (views []checkView, err error) {
	for _, dir := range dirs {
		listed, err := b.git(ctx, dir, "ls-tree", "-r", "-z", "--name-only", b.ref, "--", ".")
		if err != nil {
			return nil, err
		}
		for name := range bytes.SplitSeq(listed, []byte{0}) {
			file := filepath.Join(dir, string(name))
			typ, hidden := schemaExtensions[filepath.Ext(file)], strings.HasPrefix(string(name), ".") || bytes.Contains(name, []byte("/."))
			if typ == "" || hidden || there[subjectOf(file, nil)] || slices.ContainsFunc(contracts, func(c contract) bool { return filepath.Clean(c.file) == file }) {
				continue
			}
			views = append(views, checkView{Subject: subjectOf(file, nil), Type: typ, From: "git:" + b.ref, File: file, Verdict: contractGone, Reason: "its file is gone"})
		}
	}
	return views, nil
}

// gone looks through the directory: at all of it, or at what belongs to the topics.
func (b dirBaseline) gone(ctx context.Context, all bool, there, topics map[string]bool) (views []checkView, err error) {
	files, err := os.ReadDir(b.dir)
	if err != nil {
		return nil, fmt.Errorf("look through %s: %w", b.dir, err)
	}
	referred := map[string]bool{}
	for _, f := range files {
		ext := filepath.Ext(f.Name())
		subject, err := url.PathUnescape(strings.TrimSuffix(f.Name(), ext))
		if err != nil || f.IsDir() || ext != snapshotSuffix && schemaExtensions[ext] == "" {
			continue
		}
		live, _, err := b.versions(ctx, contract{subject: subject})
		if err != nil {
			return nil, err
		}
		for _, e := range live {
			for _, ref := range e.References {
				referred[ref.Subject] = true
			}
		}
		if len(live) > 0 && !there[subject] && (all || topics[topicOfEarlier(subject, live[0])]) {
			there[subject] = true
			views = append(views, checkView{Subject: subject, Type: live[0].Type, From: b.dir, Verdict: contractGone, Reason: "no contract here is of it"})
		}
	}
	return slices.DeleteFunc(views, func(v checkView) bool { return referred[v.Subject] }), nil
}

// topicOfEarlier is the topic that a version's subject is of, "" where nothing says so.
func topicOfEarlier(subject string, e earlier) string {
	if l := languageOf(e.Type); l != nil {
		if s, err := l.Parse(e.Schema, e.imports); err == nil {
			return schema.TopicOf(subject, s, "")
		}
	}
	return schema.TopicOf(subject, nil, "")
}
