<?php
// Sends one text to many and watches the job to its end. Needs PHP 8.1 and its curl extension.
//
//   WAPID_KEY=wapid_test_… php bulk.php [--session main] TEXT NUMBER...

function give_up(string $why, int $code = 1): never
{
    fwrite(STDERR, "$why\n");
    exit($code);
}

function call(string $path, array $options = [], array $headers = []): array
{
    $curl = curl_init((getenv('WAPID_URL') ?: 'http://127.0.0.1:8080') . $path);
    curl_setopt_array($curl, $options + [
        CURLOPT_RETURNTRANSFER => true,
        CURLOPT_HTTPHEADER => ['X-API-Key: ' . getenv('WAPID_KEY'), ...$headers],
    ]);
    $text = curl_exec($curl);
    if ($text === false) {
        give_up(curl_error($curl));
    }
    $answer = json_decode($text, true, flags: JSON_THROW_ON_ERROR);
    if (isset($answer['error'])) {
        give_up("{$answer['error']} ({$answer['code']})");
    }
    return $answer;
}

function start(string $session, string $message, array $recipients): string
{
    $path = '/api/whatsapp/session/' . rawurlencode($session) . '/send-bulk';
    $body = json_encode(['message' => $message, 'recipients' => $recipients], JSON_THROW_ON_ERROR);
    // The same campaign has the same key: started twice within a day, it is one job.
    $key = hash('sha256', $path . $body);
    $headers = ['Content-Type: application/json', "Idempotency-Key: $key"];
    return call($path, [CURLOPT_POSTFIELDS => $body], $headers)['jobId'];
}

function watch(string $jobId): array
{
    for ($shown = ''; ; sleep(2)) {
        $job = call("/api/whatsapp/bulk-job/$jobId");
        $line = "{$job['processed']}/{$job['total']} {$job['state']}";
        if (isset($job['waiting'])) {
            $line .= ": {$job['waiting']['message']}";
        }
        if (isset($job['waiting']['until'])) {
            $line .= ", until {$job['waiting']['until']}";
        }
        if ($line !== $shown) {
            echo "$line\n";
            $shown = $line;
        }
        if (in_array($job['status'], ['completed', 'failed'], true)) {
            return $job;
        }
    }
}

$words = array_slice($argv, 1);
$session = 'main';
if (count($words) > 1 && $words[0] === '--session') {
    [, $session] = array_splice($words, 0, 2);
}
if (count($words) < 2) {
    give_up('usage: php bulk.php [--session main] TEXT NUMBER...', 2);
}
$jobId = start($session, $words[0], array_slice($words, 1));
echo "Job $jobId\n";
$job = watch($jobId);
echo "{$job['succeeded']} sent, {$job['failed']} failed\n";
exit($job['status'] === 'completed' ? 0 : 1);
