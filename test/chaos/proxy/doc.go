// Package proxy stands between clients and servers and spoils their talk, down to one request of one
// kind.
//
// # What
//
// A Proxy takes connections on one address per server and hands them on. It reads Kafka's frames on
// the way: a request's api key, correlation id and client id, and by the correlation id to which
// request a reply belongs. A Rule picks frames, by client, broker, api and direction, and delays them,
// or loses them with their connection, or loses them in silence, so that the connection hangs half
// open. A Cut takes a client off a broker altogether. Connections of other protocols, such as
// PostgreSQL's, are cut and hung as a whole.
//
// # Use
//
//	p, err := proxy.New(proxy.Config{Routes: []proxy.Route{{Listen: "127.0.0.1:19092", Target: "127.0.0.1:9092", Broker: 1, Kafka: true}}})
//	go p.Run(ctx)
//	lift := p.Apply(proxy.Rule{Client: "payment-1", APIs: []proxy.API{proxy.EndTxn}, Side: proxy.Reply, Act: proxy.Lose, Times: 1})
//	heal := p.Cut("payment-1", 2, proxy.Refuse)
//
// # Guarantees
//
// Frames that no rule picks pass whole, in order and unchanged. TCP loses no single frame and goes on,
// so neither does a Rule: a frame that is lost takes the rest of its connection with it, as a broken
// network does. A delayed frame delays those behind it on its connection.
//
// # Failure
//
// A server that can't be reached ends the client's connection. What is no Kafka frame ends it too, so
// Kafka has to talk without TLS.
//
// # Test
//
// Against a server of the test's own, frame by frame, and with a Kafka client on a real protocol
// broker: the reply to EndTxn is lost and only that.
package proxy
