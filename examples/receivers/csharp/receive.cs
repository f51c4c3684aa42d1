// Receives webhooks and refuses what wapid did not sign. Needs nothing but .NET: the Program.cs of a
// console project.
//
//   WAPID_WEBHOOK_SECRET=whsec_… PORT=4000 dotnet run
//
// Three ways to verify, each at a path of its own here: take one.

using System;
using System.Collections.Specialized;
using System.IO;
using System.Linq;
using System.Net;
using System.Security.Cryptography;
using System.Text;

var secret = Environment.GetEnvironmentVariable("WAPID_WEBHOOK_SECRET") ?? throw new Exception("set WAPID_WEBHOOK_SECRET");
var key = secret.StartsWith("whsec_", StringComparison.Ordinal) ? Convert.FromBase64String(secret[6..]) : Encoding.UTF8.GetBytes(secret);
const long ToleranceS = 300;

byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
byte[] Hmac(params byte[][] parts) => HMACSHA256.HashData(key, parts.SelectMany(part => part).ToArray());
string Hex(byte[] bytes) => Convert.ToHexString(bytes).ToLowerInvariant();
bool Same(string a, string b) => CryptographicOperations.FixedTimeEquals(Bytes(a), Bytes(b));

// Standard Webhooks: notices a replay, and holds two signatures while you change the secret.
bool Standard(NameValueCollection headers, byte[] body)
{
    var (id, timestamp, signatures) = (headers["webhook-id"], headers["webhook-timestamp"], headers["webhook-signature"]);
    if (id is null || signatures is null || !long.TryParse(timestamp, out var seconds)) return false;
    if (Math.Abs(DateTimeOffset.UtcNow.ToUnixTimeSeconds() - seconds) > ToleranceS) return false;
    var expected = "v1," + Convert.ToBase64String(Hmac(Bytes($"{id}.{timestamp}."), body));
    return signatures.Split(' ').Any(signature => Same(signature, expected));
}

// The one-line way: a hash of the body as it came.
bool RawBody(NameValueCollection headers, byte[] body) => Same(headers["X-Webhook-Signature"] ?? "", "sha256=" + Hex(Hmac(body)));

// The field `signature` is last and signs the body without it, so it is cut off, not parsed.
bool InBody(NameValueCollection headers, byte[] body)
{
    if (body.Length < 80) return false;
    var expected = ",\"signature\":\"" + Hex(Hmac(body[..^80], Bytes("}"))) + "\"}";
    return CryptographicOperations.FixedTimeEquals(body[^80..], Bytes(expected));
}

var listener = new HttpListener();
listener.Prefixes.Add($"http://127.0.0.1:{Environment.GetEnvironmentVariable("PORT") ?? "4000"}/");
listener.Start();
while (true)
{
    var context = listener.GetContext();
    using var read = new MemoryStream();
    context.Request.InputStream.CopyTo(read);
    var (headers, body) = (context.Request.Headers, read.ToArray());
    var genuine = context.Request.Url?.AbsolutePath switch
    {
        "/" => Standard(headers, body),
        "/raw-body" => RawBody(headers, body),
        "/in-body" => InBody(headers, body),
        _ => false,
    };
    // If it is, `webhook-id` is the same when an event comes again; now `JsonDocument.Parse(body)`.
    context.Response.StatusCode = genuine ? 200 : 401;
    context.Response.OutputStream.Write(Bytes(genuine ? $"ok {headers["webhook-id"]}\n" : "refused\n"));
    context.Response.Close();
}
