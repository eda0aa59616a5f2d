module github.com/leatdev/leat/test/bench

go 1.26.0

require github.com/leatdev/leat v0.0.0

replace github.com/leatdev/leat => ../..
