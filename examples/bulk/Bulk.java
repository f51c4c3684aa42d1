// Sends one text to many and watches the job to its end. Needs Java 17 and nothing else.
//
//   WAPID_KEY=wapid_test_… java Bulk.java [--session main] TEXT NUMBER...

import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

import static java.nio.charset.StandardCharsets.UTF_8;

public class Bulk {
    static final String BASE = System.getenv().getOrDefault("WAPID_URL", "http://127.0.0.1:8080");
    static final String KEY = System.getenv().getOrDefault("WAPID_KEY", "");
    static final HttpClient HTTP = HttpClient.newHttpClient();

    static String call(String path, HttpRequest.Builder request) throws IOException, InterruptedException {
        var asked = request.uri(URI.create(BASE + path)).header("X-API-Key", KEY).build();
        var response = HTTP.send(asked, BodyHandlers.ofString());
        var answer = response.body();
        if (response.statusCode() != 200) {
            var code = text(answer, "code").map(" (%s)"::formatted).orElse("");
            throw new IOException(text(answer, "error").orElse(answer) + code);
        }
        return answer;
    }

    static String start(String session, String message, List<String> recipients) throws Exception {
        var path = "/api/whatsapp/session/" + URLEncoder.encode(session, UTF_8).replace("+", "%20") + "/send-bulk";
        var numbers = recipients.stream().map(Bulk::quote).collect(Collectors.joining(","));
        var body = "{\"message\":" + quote(message) + ",\"recipients\":[" + numbers + "]}";
        // The same campaign has the same key: started twice within a day, it is one job.
        var key = MessageDigest.getInstance("SHA-256").digest((path + body).getBytes(UTF_8));
        var request = HttpRequest.newBuilder()
            .header("Content-Type", "application/json")
            .header("Idempotency-Key", HexFormat.of().formatHex(key))
            .POST(BodyPublishers.ofString(body));
        return text(call(path, request), "jobId").orElseThrow();
    }

    static String watch(String jobId) throws IOException, InterruptedException {
        for (var shown = ""; ; Thread.sleep(2000)) {
            var job = call("/api/whatsapp/bulk-job/" + jobId, HttpRequest.newBuilder());
            var line = number(job, "processed") + "/" + number(job, "total") + " " + text(job, "state").orElseThrow()
                + text(job, "message").map(": "::concat).orElse("")
                + text(job, "until").map(", until "::concat).orElse("");
            if (!line.equals(shown)) System.out.println(line);
            shown = line;
            // The value of `status`: to look for "failed" anywhere would find the count of that name.
            if (List.of("completed", "failed").contains(text(job, "status").orElseThrow())) return job;
        }
    }

    // Enough JSON for what is read here, where no two fields share a name; a program of yours has a library.

    static Optional<String> text(String json, String field) {
        var found = Pattern.compile("\"" + field + "\":\"((?:[^\"\\\\]|\\\\.)*)\"").matcher(json);
        return found.find() ? Optional.of(found.group(1).translateEscapes()) : Optional.empty();
    }

    static long number(String json, String field) {
        var found = Pattern.compile("\"" + field + "\":(\\d+)").matcher(json);
        if (!found.find()) throw new IllegalStateException("no " + field + " in " + json);
        return Long.parseLong(found.group(1));
    }

    static String quote(String text) {
        var escaped = text.replace("\\", "\\\\").replace("\"", "\\\"");
        return "\"" + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + "\"";
    }

    public static void main(String[] arguments) throws Exception {
        var words = List.of(arguments);
        var session = "main";
        if (words.size() > 1 && words.get(0).equals("--session")) {
            session = words.get(1);
            words = words.subList(2, words.size());
        }
        if (words.size() < 2) {
            System.err.println("usage: java Bulk.java [--session main] TEXT NUMBER...");
            System.exit(2);
        }
        try {
            var jobId = start(session, words.get(0), words.subList(1, words.size()));
            System.out.println("Job " + jobId);
            var job = watch(jobId);
            System.out.println(number(job, "succeeded") + " sent, " + number(job, "failed") + " failed");
            System.exit(text(job, "status").orElseThrow().equals("completed") ? 0 : 1);
        } catch (IOException problem) {
            System.err.println(Objects.requireNonNullElse(problem.getMessage(), problem.toString()));
            System.exit(1);
        }
    }
}
