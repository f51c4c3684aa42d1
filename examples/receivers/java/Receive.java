// Receives webhooks and refuses what wapid did not sign. Needs nothing but a JDK.
//
//   WAPID_WEBHOOK_SECRET=whsec_… PORT=4000 java Receive.java
//
// Three ways to verify, each at a path of its own here: take one.

import static java.nio.charset.StandardCharsets.UTF_8;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpServer;
import java.net.InetSocketAddress;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.Map;
import java.util.Objects;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

public class Receive {
  static final long TOLERANCE_S = 300;
  static final SecretKeySpec KEY = key(System.getenv("WAPID_WEBHOOK_SECRET"));

  static SecretKeySpec key(String secret) {
    Objects.requireNonNull(secret, "set WAPID_WEBHOOK_SECRET");
    boolean isBase64 = secret.startsWith("whsec_");
    byte[] key = isBase64 ? Base64.getDecoder().decode(secret.substring(6)) : secret.getBytes(UTF_8);
    return new SecretKeySpec(key, "HmacSHA256");
  }

  static byte[] hmac(byte[]... parts) throws Exception {
    Mac mac = Mac.getInstance("HmacSHA256");
    mac.init(KEY);
    for (byte[] part : parts) mac.update(part);
    return mac.doFinal();
  }

  static String hex(byte[] bytes) {
    return HexFormat.of().formatHex(bytes);
  }

  static boolean same(String a, String b) {
    return MessageDigest.isEqual(a.getBytes(UTF_8), b.getBytes(UTF_8));
  }

  interface Way {
    boolean verifies(Headers headers, byte[] body) throws Exception;
  }

  /** Standard Webhooks: notices a replay, and holds two signatures while you change the secret. */
  static boolean standard(Headers headers, byte[] body) throws Exception {
    String id = headers.getFirst("webhook-id");
    String timestamp = headers.getFirst("webhook-timestamp");
    String signatures = headers.getFirst("webhook-signature");
    if (id == null || signatures == null || timestamp == null || !timestamp.matches("[0-9]{1,12}")) return false;
    if (Math.abs(System.currentTimeMillis() / 1000 - Long.parseLong(timestamp)) > TOLERANCE_S) return false;
    byte[] mac = hmac((id + "." + timestamp + ".").getBytes(UTF_8), body);
    String expected = "v1," + Base64.getEncoder().encodeToString(mac);
    return Arrays.stream(signatures.split(" ")).anyMatch(signature -> same(signature, expected));
  }

  /** The one-line way: a hash of the body as it came. */
  static boolean rawBody(Headers headers, byte[] body) throws Exception {
    String signature = headers.getFirst("X-Webhook-Signature");
    return signature != null && same(signature, "sha256=" + hex(hmac(body)));
  }

  /** The field `signature` is last and signs the body without it, so it is cut off, not parsed. */
  static boolean inBody(Headers headers, byte[] body) throws Exception {
    int cut = body.length - 80;
    if (cut < 0) return false;
    byte[] signed = Arrays.copyOf(body, cut + 1);
    signed[cut] = '}';
    String expected = ",\"signature\":\"" + hex(hmac(signed)) + "\"}";
    return MessageDigest.isEqual(Arrays.copyOfRange(body, cut, body.length), expected.getBytes(UTF_8));
  }

  public static void main(String[] args) throws Exception {
    int port = Integer.parseInt(System.getenv().getOrDefault("PORT", "4000"));
    Map<String, Way> ways = Map.of("/", Receive::standard, "/raw-body", Receive::rawBody, "/in-body", Receive::inBody);
    HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
    server.createContext("/", exchange -> {
      boolean genuine = false;
      try {
        byte[] body = exchange.getRequestBody().readAllBytes();
        Way way = ways.get(exchange.getRequestURI().getPath());
        genuine = way != null && way.verifies(exchange.getRequestHeaders(), body);
        // If it is, `webhook-id` is the same when an event comes again; now parse `body`.
      } catch (Exception problem) {
        System.err.println(problem);
      }
      String id = exchange.getRequestHeaders().getFirst("webhook-id");
      byte[] answer = (genuine ? "ok " + id + "\n" : "refused\n").getBytes(UTF_8);
      exchange.sendResponseHeaders(genuine ? 200 : 401, answer.length);
      exchange.getResponseBody().write(answer);
      exchange.close();
    });
    server.start();
  }
}
