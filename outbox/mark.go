package outbox

// marker finds the id up to which no row can still come, out of polls of the sequence and of who
// may be inserting. It is a hint: the relay reads from it on, and what it gets wrong costs delay (a
// sweep finds it), never a row.
//
// Every INSERT takes the table's RowExclusiveLock before it draws an id, and holds it to the end of
// its transaction. So a holder that was not there when the last poll looked, after that poll had
// read the sequence at L, has only ids above L.
type marker struct {
	last  int64            // the sequence at the last poll
	mark  int64            // result of the last poll
	first map[string]int64 // holder -> all its ids are above this
}

// poll takes in the sequence's last value and then, read after it, the holders of the lock.
func (m *marker) poll(last int64, holders []string) int64 {
	if last < m.last {
		*m = marker{} // the sequence went back: a crash or another server, nothing known holds any more
	}
	next := make(map[string]int64, len(holders))
	mark := last
	for _, h := range holders {
		above, known := m.first[h]
		if !known {
			above = m.last
			if prepared(h) {
				above = m.mark // a writer seen before may have been renamed by PREPARE TRANSACTION
			}
		}
		next[h] = above
		mark = min(mark, above)
	}
	m.first, m.last = next, last
	m.mark = max(m.mark, mark)
	return m.mark
}

// prepared says whether the holder has the name that some releases of PostgreSQL give to prepared
// transactions: backend -1.
func prepared(holder string) bool { return len(holder) > 3 && holder[:3] == "-1/" }
