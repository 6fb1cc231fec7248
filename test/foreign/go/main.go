// A client in Go against the server at the URL that is the first argument. One line a check; the last line is
// "N passed, N failed".
package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/go-kit/log"
	"github.com/philippseith/signalr"
)

// Of anything.
const patience = 20 * time.Second

var (
	url            string
	passed, failed int
)

// What the server calls.
type receiver struct {
	told  chan []any
	heard chan string
}

func (r *receiver) Told(text string, number float64, value any) { r.told <- []any{text, number, value} }
func (r *receiver) Heard(text string)                           { r.heard <- text }
func (r *receiver) Double(number int) int                       { return number * 2 }

type connection struct {
	signalr.Client
	*receiver
}

type options struct {
	path      string
	token     string
	transport signalr.TransportType
	format    signalr.TransferFormatType
	version   int
}

func connect(o options) (*connection, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	path := "/foreign"
	if o.path != "" {
		path = o.path
	}
	headers := func() http.Header {
		if o.token == "" {
			return http.Header{}
		}
		return http.Header{"Authorization": {"Bearer " + o.token}}
	}
	conn, err := signalr.NewHTTPConnection(ctx, url+path,
		signalr.WithTransports(o.transport), signalr.WithHTTPHeaders(headers), signalr.WithNegotiateVersion(o.version))
	if err != nil {
		return nil, err
	}
	r := &receiver{told: make(chan []any, 10), heard: make(chan string, 10)}
	format := signalr.TransferFormatText
	if o.format != "" {
		format = o.format
	}
	client, err := signalr.NewClient(context.Background(), signalr.WithConnection(conn), signalr.WithReceiver(r),
		signalr.TransferFormat(format), signalr.Logger(log.NewNopLogger(), false), signalr.HandshakeTimeout(3*time.Second))
	if err != nil {
		return nil, err
	}
	client.Start()
	return &connection{client, r}, <-client.WaitForState(ctx, signalr.ClientConnected)
}

func (c *connection) invoke(method string, args ...any) (any, error) {
	result, err := within(c.Invoke(method, args...))
	return result.Value, errors.Join(err, result.Error)
}

func within[T any](channel <-chan T) (T, error) {
	select {
	case value := <-channel:
		return value, nil
	case <-time.After(patience):
		var none T
		return none, errors.New("nothing came")
	}
}

func equal(expected, actual any) error {
	if reflect.DeepEqual(expected, actual) {
		return nil
	}
	return fmt.Errorf("expected %#v, got %#v", expected, actual)
}

// The first error of several steps.
func all(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (c *connection) answers(expected any, method string, args ...any) func() error {
	return func() error {
		value, err := c.invoke(method, args...)
		return errors.Join(err, equal(expected, value))
	}
}

func hears[T any](expected T, channel <-chan T) func() error {
	return func() error {
		value, err := within(channel)
		return errors.Join(err, equal(expected, value))
	}
}

func (c *connection) reads(expected []any, failure string, method string, args ...any) error {
	items := []any{}
	var err error
	for result := range c.PullStream(method, args...) {
		if result.Error != nil {
			err = result.Error
			break
		}
		items = append(items, result.Value)
	}
	if failure != "" {
		if err == nil || err.Error() != failure || len(items) > len(expected) {
			return fmt.Errorf("expected %q, got %v", failure, err)
		}
		// It takes items and errors from two channels, so the error may overtake the last item.
		return equal(expected[:len(items)], items)
	}
	return errors.Join(err, equal(expected, items))
}

func check(title string, o options, run func(*connection) error) {
	done := make(chan error, 1)
	go func() {
		client, err := connect(o)
		if err == nil {
			err = run(client)
		}
		done <- err
	}()
	err, late := within(done)
	if err = errors.Join(err, late); err == nil {
		passed++
		fmt.Println("passed:", o.transport, title)
	} else {
		failed++
		fmt.Println("FAILED:", o.transport, title+"\n ", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
}

func checks(o options) {
	check("echoes values of every kind", o, func(c *connection) error {
		values := []any{"", "hello", "ü 😀 \u2028 \"quoted\" \\ \x00", strings.Repeat("é", 10_000), 0.0, -1.0, 0.5, 1e21,
			true, map[string]any{"x": 7.0, "values": []any{1.0, nil, "three"}, "__proto__": map[string]any{}}, []any{}}
		for _, value := range values {
			if err := c.answers(value, "echo", value)(); err != nil {
				return err
			}
		}
		return all(c.answers(5.0, "ADD", 2, 3), c.answers(nil, "nothing"))
	})
	check("hears what the server calls", o, func(c *connection) error {
		value := map[string]any{"label": []any{nil}}
		return all(func() error { return <-c.Send("tellCaller", "ü", 1.5, value) },
			hears([]any{"ü", 1.5, value}, c.told))
	})
	check("two clients in one group, and broadcasts", o, func(first *connection) error {
		second, err := connect(o)
		if err != nil {
			return err
		}
		return all(first.answers(nil, "join", "a group"), second.answers(nil, "join", "a group"),
			func() error { return <-second.Send("tellGroup", "a group", "one") },
			hears("one", first.heard), hears("one", second.heard),
			func() error { return <-first.Send("tellAll", "two") },
			hears("two", first.heard), hears("two", second.heard))
	})
	check("invokes many at once", o, func(c *connection) error {
		answers := []<-chan signalr.InvokeResult{}
		for number := range 40 {
			answers = append(answers, c.Invoke("add", number, 1))
		}
		sums := []float64{}
		for _, answer := range answers {
			result, err := within(answer)
			if err = errors.Join(err, result.Error); err != nil {
				return err
			}
			sums = append(sums, result.Value.(float64))
		}
		slices.Sort(sums)
		return equal([]any{1.0, 40.0, 40}, []any{sums[0], sums[39], len(sums)})
	})
	check("invokes what takes long, and something else meanwhile", o, func(c *connection) error {
		slow := c.Invoke("takeLong", 1500)
		return all(c.answers(3.0, "add", 1, 2), func() error {
			result, err := within(slow)
			return errors.Join(err, result.Error, equal("done", result.Value))
		})
	})
	check("reads streams, to their end and to their failure", o, func(c *connection) error {
		return all(func() error { return c.reads([]any{0.0, 1.0, 2.0, 3.0, 4.0}, "", "count", 5) },
			func() error {
				return c.reads([]any{0.0, 1.0},
					"An error occurred on the server while streaming results. HubException: enough", "countAndFail", "enough")
			})
	})
	check("uploads a stream, and gets the method's result", o, func(c *connection) error {
		numbers := make(chan int)
		sum := c.PushStreams("sum", numbers)
		for number := 1; number <= 10; number++ {
			numbers <- number
		}
		close(numbers)
		result, err := within(sum)
		return errors.Join(err, result.Error, equal(55.0, result.Value))
	})
	check("answers what the server asks it", o, func(c *connection) error {
		return c.answers(42.0, "askCaller", 21)()
	})
	check("reads the text of a HubException", o, func(c *connection) error {
		_, err := c.invoke("fail", "no such room ü")
		return equal("An unexpected error occurred invoking 'fail' on the server. HubException: no such room ü", fmt.Sprint(err))
	})
	check("is closed by the server", o, func(c *connection) error {
		closed := c.WaitForState(context.Background(), signalr.ClientClosed)
		c.Send("abort")
		_, err := within(closed)
		return errors.Join(err, equal(signalr.ClientClosed, c.State()))
	})
}

func main() {
	url = os.Args[1]
	checks(options{transport: signalr.TransportWebSockets, version: 1})
	// By event streams it sends under the connection id, which is the token in version 0 only.
	checks(options{transport: signalr.TransportServerSentEvents})

	members := options{transport: signalr.TransportWebSockets, version: 1, path: "/members", token: "user:ada"}
	check("signs in by a header", members, func(c *connection) error { return c.answers("ada", "userName")() })
	streaming := options{transport: signalr.TransportServerSentEvents, path: "/members", token: "user:ada"}
	check("signs in by a header, which its posts are without", streaming,
		func(c *connection) error { return c.answers("ada", "userName")() })
	stranger := members
	stranger.token = ""
	refused("is refused without one", stranger)
	binary := options{transport: signalr.TransportWebSockets, version: 1, format: signalr.TransferFormatBinary}
	refused("cannot use MessagePack: it sends binary frames", binary)

	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}

func refused(title string, o options) {
	client, err := connect(o)
	if err == nil {
		_, err = client.invoke("add", 1, 2)
	}
	if err != nil {
		passed++
		fmt.Println("passed:", o.transport, title)
	} else {
		failed++
		fmt.Println("FAILED:", o.transport, title)
	}
}
