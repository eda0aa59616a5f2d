package demo

import (
	"embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"

	"github.com/leatdev/leat/service"
)

//go:embed storefront/*
var assets embed.FS

// contentPolicy lets the page use what it is made of and nothing else.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// storefront is a service that is only a page: it places orders and shows their timelines.
func storefront() service.Config {
	return service.Config{Name: "storefront", Routes: func(*service.Service) service.Routes {
		return service.Routes{
			"GET /{$}":            asset("index.html", "text/html; charset=utf-8"),
			"GET /storefront.css": asset("storefront.css", "text/css; charset=utf-8"),
			"GET /storefront.js":  asset("storefront.js", "text/javascript; charset=utf-8"),
			"GET /favicon.svg":    asset("favicon.svg", "image/svg+xml"),
		}
	}}
}

func asset(name, contentType string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		data, err := assets.ReadFile("storefront/" + name)
		if err != nil {
			http.Error(w, "the page is missing from this build", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", contentType)
		w.Header().Set("Content-Security-Policy", contentPolicy)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Referrer-Policy", "no-referrer")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(data) // an error is a client that went away
	}
}

// proxy serves the storefront of services that run elsewhere: a page talks to its own origin only.
func (d *demo) proxy() error {
	mux := http.NewServeMux()
	for pattern, f := range storefront().Routes(nil) {
		mux.HandleFunc(pattern, f)
	}
	target, err := url.Parse(d.cfg.Attach[0])
	if err != nil {
		return fmt.Errorf("attach: %w", err)
	}
	forward := &httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		base := target
		if urls := d.shop.at["order"]; len(urls) > 0 {
			if u, err := url.Parse(urls[int(d.shop.turn.Add(1))%len(urls)]); err == nil {
				base = u
			}
		}
		r.SetURL(base)
	}}
	mux.Handle("/orders", forward)
	mux.Handle("/orders/", forward)
	listener, err := net.Listen("tcp", d.cfg.Listen)
	if err != nil {
		return fmt.Errorf("open the storefront at %s: %w", d.cfg.Listen, err)
	}
	d.url = "http://" + listener.Addr().String()
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	ended := make(chan struct{})
	go func() { // ended by close, which waits for it
		defer close(ended)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			d.cfg.Logger.Error("storefront", "error", err)
		}
	}()
	d.undo = append(d.undo, func() {
		_ = server.Close()
		<-ended
	})
	return nil
}
