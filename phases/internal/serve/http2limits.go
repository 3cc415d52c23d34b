package serve

import (
	"time"

	"github.com/moonphase/moonphase/phases/internal/modules/http2"
)

// http2Limits are the directives that hold for a connection as a whole.
type http2Limits struct {
	maxStreams        int
	preread           int64
	fieldSize         int // of large_client_header_buffers: the longest name or value
	headerSize        int // names and values of one request
	maxHeaders        int
	headerTimeout     time.Duration
	keepaliveTimeout  time.Duration
	keepaliveRequests int64
	keepaliveTime     time.Duration
	sendTimeout       time.Duration
	linger            lingering
}

func newHTTP2Limits(b *binding) http2Limits {
	s, l := http2.Server.Of(b.listen.Default), b.listen.Default.Loc
	return http2Limits{
		maxStreams:        s.MaxStreams.V,
		preread:           s.Preread.V,
		fieldSize:         b.limits.LargeBuffer,
		headerSize:        b.limits.LargeBuffer * b.limits.LargeCount,
		maxHeaders:        b.limits.MaxHeaders,
		headerTimeout:     b.limits.HeaderTimeout,
		keepaliveTimeout:  l.KeepaliveTimeout.V,
		keepaliveRequests: int64(l.KeepaliveRequests.V),
		keepaliveTime:     l.KeepaliveTime.V,
		sendTimeout:       l.SendTimeout.V,
		linger:            lingering{mode: l.LingeringClose.V, total: l.LingeringTime.V, each: l.LingeringTimeout.V, pending: true},
	}
}
