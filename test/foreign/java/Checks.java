// The official Java client against the server at the URL that is the first argument. One line a check; the last line is
// "N passed, N failed". Run with the jars of pom.xml: java -cp 'jars/*' Checks.java http://127.0.0.1:8080

import com.microsoft.signalr.HubConnection;
import com.microsoft.signalr.HubConnectionBuilder;
import com.microsoft.signalr.HubConnectionState;
import com.microsoft.signalr.HubException;
import com.microsoft.signalr.TransportEnum;
import com.microsoft.signalr.TypeReference;
import io.reactivex.rxjava3.core.Completable;
import io.reactivex.rxjava3.core.Single;
import io.reactivex.rxjava3.disposables.Disposable;
import io.reactivex.rxjava3.subjects.ReplaySubject;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

public final class Checks {
    /** Seconds that anything may take. */
    private static final long PATIENCE = 20;

    private static int passed = 0;
    private static int failed = 0;
    private static String url;

    public static final class Point {
        public int x;
        public String label;
        public List<Integer> values;
        public String missing;
    }

    interface Check {
        void run(HubConnection connection) throws Exception;
    }

    public static void main(String[] args) {
        url = args[0];

        check("echoes text, also beyond ASCII, and a long one", connection -> {
            for (String text : List.of("", "hello", "ü 😀 \u2028 \"quoted\" \\ \u0000", "é".repeat(15_000)))
                equal(text, connection.invoke(String.class, "echo", text).blockingGet());
        });
        check("echoes numbers and booleans", connection -> {
            for (double number : new double[] {0, -1, 0.5, 1e21, 9007199254740991.0})
                equal(number, connection.invoke(Double.class, "echo", number).blockingGet());
            equal(Long.MAX_VALUE >> 11, connection.invoke(Long.class, "echo", Long.MAX_VALUE >> 11).blockingGet());
            equal(true, connection.invoke(Boolean.class, "echo", true).blockingGet());
        });
        check("echoes objects with lists and nulls in them", connection -> {
            Point point = new Point();
            point.x = 7;
            point.label = "here";
            point.values = Arrays.asList(1, null, 3);
            Point echo = connection.invoke(Point.class, "echo", point).blockingGet();
            equal(7, echo.x);
            equal("here", echo.label);
            equal(Arrays.asList(1, null, 3), echo.values);
            equal(null, echo.missing);
        });
        check("echoes what has a generic type", connection -> {
            Map<String, List<String>> given = new HashMap<>(Map.of("__proto__", List.of("a"), "constructor", List.of()));
            Single<Map<String, List<String>>> echo = connection.invoke(
                new TypeReference<Map<String, List<String>>>() { }.getType(), "echo", given);
            equal(given, echo.blockingGet());
        });
        check("passes several arguments, finds methods in any case", connection ->
            equal(5, connection.invoke(Integer.class, "ADD", 2, 3).blockingGet()));
        check("completes what returns nothing", connection -> connection.invoke("nothing").blockingAwait());
        check("knows its connection id", connection ->
            equal(connection.getConnectionId(), connection.invoke(String.class, "connectionId").blockingGet()));
        check("hears what the server calls, with several parameters", connection -> {
            CompletableFuture<List<Object>> told = new CompletableFuture<>();
            connection.on("told", (text, number, point) -> told.complete(List.of(text, number, point.label)),
                String.class, Double.class, Point.class);
            Point point = new Point();
            point.label = "there";
            connection.invoke("tellCaller", "ü", 1.5, point).blockingAwait();
            equal(List.of("ü", 1.5, "there"), told.get(PATIENCE, TimeUnit.SECONDS));
        });
        check("sends many at once, from several threads: all arrive, none twice", connection -> {
            int threads = 8;
            int each = 10;
            CountDownLatch go = new CountDownLatch(1);
            List<Thread> senders = IntStream.range(0, threads).mapToObj(thread -> new Thread(() -> {
                try {
                    go.await();
                } catch (InterruptedException error) {
                    return;
                }
                for (int index = 0; index < each; index++) connection.send("keep", thread * each + index);
            })).collect(Collectors.toList());
            senders.forEach(Thread::start);
            go.countDown();
            for (Thread sender : senders) sender.join();
            List<Integer> all = IntStream.range(0, threads * each).boxed().collect(Collectors.toList());
            List<Integer> kept = new ArrayList<>();
            long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE);
            while (kept.size() < all.size() && System.nanoTime() < end) {
                kept = new ArrayList<>(connection.<List<Integer>>invoke(
                    new TypeReference<List<Integer>>() { }.getType(), "kept").blockingGet());
            }
            Collections.sort(kept);
            equal(all, kept);
        });
        check("invokes many at once, each answered with its own", connection -> {
            List<Single<Integer>> answers = IntStream.range(0, 40)
                .mapToObj(number -> connection.invoke(Integer.class, "add", number, 1)).collect(Collectors.toList());
            for (int number = 0; number < answers.size(); number++) equal(number + 1, answers.get(number).blockingGet());
        });
        check("invokes what takes long, and something else meanwhile", connection -> {
            Single<String> slow = connection.invoke(String.class, "takeLong", 1500);
            equal(3, connection.invoke(Integer.class, "add", 1, 2).blockingGet());
            equal("done", slow.blockingGet());
        });
        check("reads a stream to its end", connection ->
            equal(List.of(0, 1, 2, 3, 4), connection.stream(Integer.class, "count", 5).toList().blockingGet()));
        check("cancels a stream midway: the server stops", connection -> {
            String name = "java " + connection.getConnectionId();
            CountDownLatch three = new CountDownLatch(3);
            Disposable stream = connection.stream(Integer.class, "countForever", name)
                .subscribe(number -> three.countDown());
            equal(true, three.await(PATIENCE, TimeUnit.SECONDS));
            stream.dispose();
            equal("stopped", connection.invoke(String.class, "streamEnd", name).blockingGet());
        });
        check("reads a stream that fails midway, and why", connection -> {
            List<Integer> items = Collections.synchronizedList(new ArrayList<>());
            Throwable error = thrown(() -> connection.stream(Integer.class, "countAndFail", "enough")
                .doOnNext(items::add).ignoreElements().blockingAwait());
            equal(List.of(0, 1), items);
            equal("An error occurred on the server while streaming results. HubException: enough", error.getMessage());
        });
        check("uploads a stream, and gets the method's result", connection -> {
            ReplaySubject<Integer> numbers = ReplaySubject.create();
            Single<Integer> sum = connection.invoke(Integer.class, "sum", numbers);
            for (int number = 1; number <= 10; number++) numbers.onNext(number);
            // It posts several at once, and an item that its stream's end overtakes is late with every server.
            connection.invoke("nothing").blockingAwait();
            numbers.onComplete();
            equal(55, sum.blockingGet());
        });
        check("answers what the server asks it", connection -> {
            connection.onWithResult("double", number -> Single.just(number * 2), Integer.class);
            equal(42, connection.invoke(Integer.class, "askCaller", 21).blockingGet());
        });
        check("reads the text of a HubException, and of nothing else", connection -> {
            Throwable error = thrown(() -> connection.invoke("fail", "no such room ü").blockingAwait());
            equal(HubException.class, error.getClass());
            equal("An unexpected error occurred invoking 'fail' on the server. HubException: no such room ü",
                error.getMessage());
            equal("An unexpected error occurred invoking 'failSecretly' on the server.",
                thrown(() -> connection.invoke("failSecretly").blockingAwait()).getMessage());
            equal("Failed to invoke 'noSuchMethod' due to an error on the server. HubException: Method does not exist.",
                thrown(() -> connection.invoke("noSuchMethod").blockingAwait()).getMessage());
        });
        check("two clients in one group, and broadcasts", first -> {
            HubConnection second = start(builder("/foreign").build());
            BlockingQueue<String> heard = new LinkedBlockingQueue<>();
            first.on("heard", text -> heard.add("first " + text), String.class);
            second.on("heard", text -> heard.add("second " + text), String.class);
            first.invoke("join", "a group").blockingAwait();
            second.invoke("join", "a group").blockingAwait();
            second.invoke("tellGroup", "a group", "one").blockingAwait();
            equal(List.of("first one", "second one"), sorted(heard, 2));
            first.invoke("leave", "a group").blockingAwait();
            first.invoke("tellGroup", "a group", "two").blockingAwait();
            equal(List.of("second two"), sorted(heard, 1));
            first.invoke("tellAll", "three").blockingAwait();
            equal(List.of("first three", "second three"), sorted(heard, 2));
            second.stop().blockingAwait();
        });
        check("stops within a second although a poll is held, and the server hears that it stopped", connection -> {
            HubConnection other = start(builder("/foreign").build());
            String id = other.getConnectionId();
            CompletableFuture<Boolean> closed = new CompletableFuture<>();
            other.onClosed(error -> closed.complete(error == null));
            other.invoke("nothing").blockingAwait();
            Thread.sleep(500);
            long begun = System.nanoTime();
            other.stop().blockingAwait();
            long took = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - begun);
            if (took > 1_000) throw new AssertionError("It took " + took + " ms.");
            equal(true, closed.get(PATIENCE, TimeUnit.SECONDS));
            equal(HubConnectionState.DISCONNECTED, other.getConnectionState());
            equal("stopped", connection.invoke(String.class, "goodbye", id).blockingGet());
        });
        check("starts again after it stopped, with a new id", connection -> {
            HubConnection other = start(builder("/foreign").build());
            String before = other.getConnectionId();
            other.stop().blockingAwait();
            start(other);
            equal(false, before.equals(other.getConnectionId()));
            equal(3, other.invoke(Integer.class, "add", 1, 2).blockingGet());
            other.stop().blockingAwait();
        });
        check("is told when the server closes it", connection -> {
            HubConnection other = start(builder("/foreign").build());
            String id = other.getConnectionId();
            CompletableFuture<String> closed = new CompletableFuture<>();
            other.onClosed(error -> closed.complete(String.valueOf(error)));
            other.send("abort");
            equal("null", closed.get(PATIENCE, TimeUnit.SECONDS));
            equal("aborted", connection.invoke(String.class, "goodbye", id).blockingGet());
        });
        check("is closed when it says too much at once", connection -> {
            CompletableFuture<String> closed = new CompletableFuture<>();
            connection.onClosed(error -> closed.complete(String.valueOf(error)));
            connection.send("echo", "é".repeat(20_000));
            // Its next poll may bring the end before it has read, on another thread, the reason that the last one brought.
            String reason = closed.get(PATIENCE, TimeUnit.SECONDS);
            if (!reason.equals("null")) equal("java.lang.RuntimeException: Connection closed with an error.", reason);
        });
        check("signs in with an access token, asked for again with each request", connection -> {
            AtomicInteger asked = new AtomicInteger();
            HubConnection other = start(builder("/members").withAccessTokenProvider(Single.defer(() -> {
                asked.incrementAndGet();
                return Single.just("user:ada");
            })).build());
            equal("ada", other.invoke(String.class, "userName").blockingGet());
            if (asked.get() < 3) throw new AssertionError("Asked " + asked.get() + " times.");
            other.stop().blockingAwait();
        });
        check("is refused without one", connection -> {
            HubConnection other = builder("/members").build();
            String message = thrown(() -> other.start().blockingAwait()).getMessage();
            if (!message.contains("401")) throw new AssertionError(message);
        });
        check("is not offered sockets", connection -> {
            HubConnection other = builder("/foreign").withTransport(TransportEnum.WEBSOCKETS).build();
            equal("There were no compatible transports on the server.",
                thrown(() -> other.start().blockingAwait()).getMessage());
        });
        check("cannot use a socket that it takes all the same: its frames are binary", connection -> {
            HubConnection other = builder("/foreign").withTransport(TransportEnum.WEBSOCKETS)
                .shouldSkipNegotiate(true).withHandshakeResponseTimeout(3_000).build();
            thrown(() -> other.start().blockingAwait());
            equal(false, other.getConnectionState() == HubConnectionState.CONNECTED);
        });

        System.out.println(passed + " passed, " + failed + " failed");
        // Its HTTP client's threads live on for minutes.
        System.exit(failed == 0 ? 0 : 1);
    }

    private static com.microsoft.signalr.HttpHubConnectionBuilder builder(String path) {
        return HubConnectionBuilder.create(url + path);
    }

    private static HubConnection start(HubConnection connection) {
        if (!connection.start().blockingAwait(PATIENCE, TimeUnit.SECONDS)) throw new AssertionError("It did not start.");
        return connection;
    }

    /** One thing that passes or fails, with a connection of its own, in its time. */
    private static void check(String title, Check check) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        Thread thread = new Thread(() -> {
            HubConnection connection = null;
            try {
                connection = start(builder("/foreign").build());
                check.run(connection);
                done.complete(null);
            } catch (Throwable error) {
                done.completeExceptionally(error);
            } finally {
                if (connection != null) connection.stop().onErrorComplete().blockingAwait(PATIENCE, TimeUnit.SECONDS);
            }
        });
        thread.setDaemon(true);
        thread.start();
        try {
            done.get(2 * PATIENCE, TimeUnit.SECONDS);
            passed++;
            System.out.println("passed: " + title);
        } catch (Exception error) {
            failed++;
            System.out.println("FAILED: " + title + "\n  " + (error.getCause() == null ? error : error.getCause()));
        }
    }

    private static void equal(Object expected, Object actual) {
        if (expected == null ? actual != null : !expected.equals(actual))
            throw new AssertionError("Expected " + expected + ", got " + actual + ".");
    }

    private static Throwable thrown(Runnable run) {
        try {
            run.run();
        } catch (RuntimeException error) {
            // What RxJava cannot throw as it is comes wrapped.
            boolean isWrapped = error.getClass() == RuntimeException.class && error.getCause() != null;
            return isWrapped ? error.getCause() : error;
        }
        throw new AssertionError("Nothing was thrown.");
    }

    private static List<String> sorted(BlockingQueue<String> queue, int count) throws InterruptedException {
        List<String> all = new ArrayList<>();
        for (int index = 0; index < count; index++) {
            String next = queue.poll(PATIENCE, TimeUnit.SECONDS);
            if (next == null) throw new AssertionError("Only " + all + " arrived.");
            all.add(next);
        }
        Collections.sort(all);
        return all;
    }
}
