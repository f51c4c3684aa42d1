<?php
// Receives webhooks and refuses what wapid did not sign. Needs nothing but PHP.
//
//   WAPID_WEBHOOK_SECRET=whsec_… php -S 127.0.0.1:4000 receive.php
//
// Three ways to verify, each at a path of its own here: take one.

$secret = getenv('WAPID_WEBHOOK_SECRET') ?: throw new Exception('set WAPID_WEBHOOK_SECRET');
define('KEY', str_starts_with($secret, 'whsec_') ? base64_decode(substr($secret, 6)) : $secret);
const TOLERANCE_S = 300;

// Standard Webhooks: notices a replay, and holds two signatures while you change the secret.
function standard(string $body): bool
{
    $id = $_SERVER['HTTP_WEBHOOK_ID'] ?? '';
    $timestamp = $_SERVER['HTTP_WEBHOOK_TIMESTAMP'] ?? '';
    if ($id === '' || !ctype_digit($timestamp) || abs(time() - (int) $timestamp) > TOLERANCE_S) {
        return false;
    }
    $expected = 'v1,' . base64_encode(hash_hmac('sha256', "$id.$timestamp.$body", KEY, true));
    foreach (explode(' ', $_SERVER['HTTP_WEBHOOK_SIGNATURE'] ?? '') as $signature) {
        if (hash_equals($expected, $signature)) {
            return true;
        }
    }
    return false;
}

// The one-line way: a hash of the body as it came.
function raw_body(string $body): bool
{
    return hash_equals('sha256=' . hash_hmac('sha256', $body, KEY), $_SERVER['HTTP_X_WEBHOOK_SIGNATURE'] ?? '');
}

// The field `signature` is last and signs the body without it, so it is cut off, not parsed.
function in_body(string $body): bool
{
    $expected = ',"signature":"' . hash_hmac('sha256', substr($body, 0, -80) . '}', KEY) . '"}';
    return hash_equals($expected, substr($body, -80));
}

$body = file_get_contents('php://input');
$genuine = match ($_SERVER['REQUEST_URI']) {
    '/' => standard($body),
    '/raw-body' => raw_body($body),
    '/in-body' => in_body($body),
    default => false,
};
if (!$genuine) {
    http_response_code(401);
    exit("refused\n");
}
// Genuine. `webhook-id` is the same when an event comes again; now `json_decode($body, true)`.
echo 'ok ', $_SERVER['HTTP_WEBHOOK_ID'] ?? '', "\n";
