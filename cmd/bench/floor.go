package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"callbox/internal/guard"
)

// floorTime is how long the forwarder is measured.
const floorTime = 5 * time.Second

// A packet of 20 ms of G.711 in RTP, and how phones take turns within 20 ms.
const (
	rtpSize  = 172
	turns    = 5
	turnTime = 20 * time.Millisecond / turns
)

// floor measures a program that does nothing but pass n calls' packets from leg
// to leg, a socket and a goroutine each: what no engine of that kind can be
// cheaper than here. It gives processor time a call-minute.
func floor(ctx context.Context, n int) (perMinute float64, err error) {
	self, err := os.Executable()
	if err != nil {
		return 0, fmt.Errorf("forwarder: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, self, "-forward", strconv.Itoa(n))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, fmt.Errorf("forwarder: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("forwarder: %w", err)
	}
	defer func() { cancel(); _ = cmd.Wait() }() // it was killed, which is no news
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return 0, fmt.Errorf("forwarder: %w", err)
	}
	legs, err := talkTo(strings.Fields(line))
	defer legs.close()
	if err != nil {
		return 0, err
	}
	p := &process{cmd: cmd}
	legs.speak(ctx, time.Second)
	before, err := p.cpu()
	if err != nil {
		return 0, err
	}
	legs.speak(ctx, floorTime)
	after, err := p.cpu()
	return (after - before).Seconds() / (float64(n) * floorTime.Minutes()), err
}

// ends are the phones' sockets around the forwarder.
type ends struct {
	conns []*net.UDPConn
	runs  guard.Group
}

func talkTo(addresses []string) (*ends, error) {
	e := &ends{}
	for _, a := range addresses {
		to, err := netip.ParseAddrPort(a)
		if err != nil {
			return e, fmt.Errorf("forwarder: %w", err)
		}
		conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
		if err != nil {
			return e, fmt.Errorf("forwarder: %w", err)
		}
		e.conns = append(e.conns, conn)
		e.runs.Go("end", func() { _, _ = io.Copy(io.Discard, conn) }) // until it is closed
	}
	return e, nil
}

func (e *ends) close() {
	for _, c := range e.conns {
		_ = c.Close() // nothing is written to it any more
	}
	e.runs.Wait()
}

// speak sends a packet each 20 ms from every end for d.
func (e *ends) speak(ctx context.Context, d time.Duration) {
	packet := make([]byte, rtpSize)
	tick := time.NewTicker(turnTime)
	defer tick.Stop()
	begin := time.Now()
	for done := 0; done < int(d/turnTime) && ctx.Err() == nil; <-tick.C {
		for due := int(time.Since(begin) / turnTime); done < due; done++ {
			for i := done % turns; i < len(e.conns); i += turns {
				_, _ = e.conns[i].Write(packet) // what is lost is lost
			}
		}
	}
}

// forward is the child: it names its addresses and passes on what comes until
// it is killed.
func forward(n int) error {
	var wg guard.Group
	var names []string
	for range n {
		var legs [2]*leg
		for i := range legs {
			conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
			if err != nil {
				return fmt.Errorf("forwarder: %w", err)
			}
			legs[i] = &leg{conn: conn, from: make(chan netip.AddrPort, 1)}
			names = append(names, conn.LocalAddr().String())
		}
		wg.Go("leg", func() { legs[0].pass(legs[1]) })
		wg.Go("leg", func() { legs[1].pass(legs[0]) })
	}
	if _, err := fmt.Println(strings.Join(names, " ")); err != nil {
		return errors.Join(errors.New("forwarder"), err)
	}
	wg.Wait()
	return nil
}

type leg struct {
	conn *net.UDPConn
	from chan netip.AddrPort // who speaks here, once
}

// pass sends what l hears to who speaks at other.
func (l *leg) pass(other *leg) {
	buf := make([]byte, 2048)
	var to netip.AddrPort
	for heard := false; ; heard = true {
		n, from, err := l.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		if !heard {
			l.from <- from
		}
		if !to.IsValid() {
			select {
			case to = <-other.from:
			default:
				continue
			}
		}
		_, _ = other.conn.WriteToUDPAddrPort(buf[:n], to) // what is lost is lost
	}
}
