package registry

import (
	"mime"
	"strconv"
	"strings"
)

// mediaTypes are what is answered, the dearest first.
var mediaTypes = []string{"application/vnd.schemaregistry.v1+json", "application/vnd.schemaregistry+json", "application/json"}

// understood says whether a body of the type is read.
func understood(contentType string) bool {
	if contentType == "" {
		return true
	}
	media, _, err := mime.ParseMediaType(contentType)
	if err != nil {
		return false
	}
	for _, m := range mediaTypes {
		if media == m {
			return true
		}
	}
	return media == "application/octet-stream"
}

// negotiate picks the type of the answer: what the client likes best, and among equals what we do.
func negotiate(accept []string) (string, bool) {
	if len(accept) == 0 {
		return mediaTypes[0], true
	}
	best, liked := "", 0.0
	for _, ours := range mediaTypes {
		if q := likes(accept, ours); q > liked {
			best, liked = ours, q
		}
	}
	return best, best != ""
}

// likes is the quality that the most specific range of an Accept header gives a type.
func likes(accept []string, ours string) float64 {
	q, specific := 0.0, -1
	for _, line := range accept {
		for part := range strings.SplitSeq(line, ",") {
			if strings.TrimSpace(part) == "" {
				continue
			}
			media, params, err := mime.ParseMediaType(part)
			if err != nil {
				continue
			}
			rank := -1
			switch media {
			case ours:
				rank = 2
			case "application/*":
				rank = 1
			case "*/*", "*":
				rank = 0
			}
			if rank <= specific {
				continue
			}
			quality := 1.0
			if text, ok := params["q"]; ok {
				if quality, err = strconv.ParseFloat(text, 64); err != nil {
					quality = 0
				}
			}
			q, specific = quality, rank
		}
	}
	return q
}
