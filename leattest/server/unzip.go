package server

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// unzipOne extracts the file with that ending from a zip or jar into dir.
func unzipOne(archive, ending, dir string) (string, error) {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return "", fmt.Errorf("open %s: %w", archive, err)
	}
	defer z.Close()
	for _, f := range z.File {
		if !strings.HasSuffix(f.Name, ending) {
			continue
		}
		from, err := f.Open()
		if err != nil {
			return "", fmt.Errorf("read %s in %s: %w", f.Name, archive, err)
		}
		defer from.Close()
		path := filepath.Join(dir, filepath.Base(f.Name))
		to, err := os.Create(path)
		if err != nil {
			return "", fmt.Errorf("extract %s: %w", f.Name, err)
		}
		if _, err := io.Copy(to, from); err != nil {
			_ = to.Close()
			return "", fmt.Errorf("extract %s: %w", f.Name, err)
		}
		return path, to.Close()
	}
	return "", fmt.Errorf("find a file *%s in %s: there is none", ending, archive)
}
