package protobuf

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/bufbuild/protocompile/protoutil"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// The generated messages of these tests are those of testdata/shop. With -update they are generated
// anew; no protoc is needed.
func TestGeneratedMessagesAreThoseOfTheirFiles(t *testing.T) {
	t.Parallel()
	names := []string{"shop/money.proto", "shop/order.proto"}
	c := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{"testdata"}}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	files, err := c.Compile(t.Context(), append([]string{"google/protobuf/timestamp.proto"}, names...)...)
	if err != nil {
		t.Fatal(err)
	}
	var described []*descriptorpb.FileDescriptorProto
	for _, f := range files {
		described = append(described, protoutil.ProtoFromFileDescriptor(f))
	}
	if *update {
		generate(t, names, described)
	}
	for i, name := range names {
		have, err := protoregistry.GlobalFiles.FindFileByPath(name)
		if err != nil {
			t.Fatalf("%s: %v: generate it with -update", name, err)
		}
		want := described[i+1]
		want.SourceCodeInfo = nil
		if diff := cmp.Diff(want, protodesc.ToFileDescriptorProto(have), protocmp.Transform()); diff != "" {
			t.Errorf("%s: generate it anew with -update (-file +generated):\n%s", name, diff)
		}
	}
}

func generate(t *testing.T, names []string, files []*descriptorpb.FileDescriptorProto) {
	t.Helper()
	in, err := proto.Marshal(&pluginpb.CodeGeneratorRequest{
		FileToGenerate: names, ProtoFile: files, Parameter: proto.String("paths=source_relative"),
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "go", "run", "google.golang.org/protobuf/cmd/protoc-gen-go")
	cmd.Stdin, cmd.Stderr = bytes.NewReader(in), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	answer := &pluginpb.CodeGeneratorResponse{}
	if err := proto.Unmarshal(out, answer); err != nil || answer.Error != nil {
		t.Fatal(err, answer.GetError())
	}
	for _, f := range answer.GetFile() {
		path := strings.TrimSuffix(filepath.Base(f.GetName()), ".go") + "_test.go"
		if err := os.WriteFile(path, []byte(f.GetContent()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
