package lag

// None is the committed offset of a partition that the group has not committed.
const None = -1

// Of is how many offsets lie between what a group has committed and the partition's end. Offsets
// that retention has taken away are not waited for, and a commit past the end counts as the end.
func Of(committed, start, end int64) int64 {
	return max(end-max(committed, start), 0)
}
