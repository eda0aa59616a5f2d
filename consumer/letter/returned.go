package letter

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/leatdev/leat"
)

// HeaderRetry is the header, the last of its record, that makes a record of a retry topic an event that
// waits to be tried again: the tier and when it is due. Before it stands the story, as dead letters tell it.
const HeaderRetry = "leat-retry"

// HeaderReturned is the header, the last of its record, that makes a record of a redrive topic
// ([leat.RedriveTopic]) an event that came back: its [Returned] as text.
const HeaderReturned = "leat-returned"

// Returned says where an event lay that came back by a redrive topic.
type Returned struct {
	Source    leat.Position
	Timestamp time.Time // of its record at the source
	Round     int32     // which redrive of the event, from 1 on
}

const returnedVersion = "v1"

// Header is the header that says it.
func (r Returned) Header() leat.Header {
	text := fmt.Sprintf("%s %s %d %d %d %d", returnedVersion, r.Source.Topic, r.Source.Partition, r.Source.Offset, r.Timestamp.UnixMilli(), r.Round)
	return leat.Header{Key: HeaderReturned, Value: []byte(text)}
}

// ParseReturned reads it out of a record's headers; false says that the record is none that came back.
func ParseReturned(headers []leat.Header) (Returned, bool) {
	if len(headers) == 0 || headers[len(headers)-1].Key != HeaderReturned {
		return Returned{}, false
	}
	words := strings.Split(string(headers[len(headers)-1].Value), " ")
	if len(words) != 6 || words[0] != returnedVersion || words[1] == "" {
		return Returned{}, false
	}
	var n [4]int64
	for i, bits := range []int{32, 64, 64, 32} {
		v, err := strconv.ParseInt(words[i+2], 10, bits)
		if err != nil || v < 0 {
			return Returned{}, false
		}
		n[i] = v
	}
	return Returned{
		Source:    leat.Position{Topic: words[1], Partition: int32(n[0]), Offset: n[1]},
		Timestamp: time.UnixMilli(n[2]).UTC(), Round: int32(n[3]),
	}, true
}
