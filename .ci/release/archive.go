package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// archived is a file of an archive: its name there, where it is, and its mode.
type archived struct {
	name, path string
	mode       int64
}

// writeArchive packs files in the order given, as a zip or as a gzipped tar, by the
// archive's name. All are of the same time and of nobody in particular.
func writeArchive(path string, files []archived, modified time.Time) error {
	pack := tarball
	if strings.HasSuffix(path, ".zip") {
		pack = zipped
	}
	var buffer bytes.Buffer
	if err := pack(&buffer, files, modified); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, buffer.Bytes(), 0o644) //nolint:gosec // A release is for everybody.
}

func tarball(out io.Writer, files []archived, modified time.Time) error {
	compressed, err := gzip.NewWriterLevel(out, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(compressed)
	for _, file := range files {
		data, err := os.ReadFile(file.path)
		if err != nil {
			return err
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: file.name, Size: int64(len(data)), Mode: file.mode, ModTime: modified, Format: tar.FormatUSTAR}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if _, err := archive.Write(data); err != nil {
			return err
		}
	}
	if err := archive.Close(); err != nil {
		return err
	}
	return compressed.Close()
}

func zipped(out io.Writer, files []archived, modified time.Time) error {
	archive := zip.NewWriter(out)
	for _, file := range files {
		data, err := os.ReadFile(file.path)
		if err != nil {
			return err
		}
		header := &zip.FileHeader{Name: file.name, Method: zip.Deflate, Modified: modified}
		header.SetMode(os.FileMode(file.mode)) //nolint:gosec // Modes are constants here.
		entry, err := archive.CreateHeader(header)
		if err != nil {
			return err
		}
		if _, err := entry.Write(data); err != nil {
			return err
		}
	}
	return archive.Close()
}
