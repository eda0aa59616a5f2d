package park

// rules are rules of the protocol that are switched off, which only tests do: the model checker has to
// find what each of them is for.
type rules uint32

const (
	withoutMarker      rules = 1 << iota // older owners' records count
	withoutEpochAtLow                    // the fold starts with epoch 0
	withOwnEpochAtLow                    // the fold starts with the committer's epoch
	withoutReadBack                      // a newer marker doesn't end the owner
	withoutCover                         // the park offset passes what the source offset doesn't cover
	withoutWait                          // events follow before the Dead is read back
	withoutCoordinates                   // the queue is in the order of the park partition
	withoutCommitWait                    // a parked event runs before the offset of those before it is committed
	withoutDedupe                        // events are not known by offset and round
	withoutRound                         // a Fin ends any round
	withoutHoldID                        // a blocked Dead counts under any hold
	withoutLater                         // events before the hold's first dead letter are blocked too
	withoutCount                         // a release counts whatever the hold has
	withoutTurn                          // a Fin ends an event before its turn
	withoutMoveRules                     // a key moves with a dead letter due
)

func (r rules) has(rule rules) bool { return r&rule != 0 }
