// Sends one text to many and watches the job to its end. Needs .NET 8 and nothing else: make a console
// project (`dotnet new console`) and put this in the place of its Program.cs.
//
//   WAPID_KEY=wapid_test_… dotnet run -- [--session main] TEXT NUMBER...

using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

var words = args.ToList();
var session = "main";
if (words is ["--session", var name, ..])
{
    session = name;
    words.RemoveRange(0, 2);
}
if (words.Count < 2)
{
    Console.Error.WriteLine("usage: dotnet run -- [--session main] TEXT NUMBER...");
    return 2;
}

using var http = new HttpClient
{
    BaseAddress = new Uri(Environment.GetEnvironmentVariable("WAPID_URL") ?? "http://127.0.0.1:8080"),
};
http.DefaultRequestHeaders.Add("X-API-Key", Environment.GetEnvironmentVariable("WAPID_KEY"));

try
{
    var jobId = await Start(session, words[0], words.Skip(1));
    Console.WriteLine($"Job {jobId}");
    var job = await Watch(jobId);
    Console.WriteLine($"{job.Succeeded} sent, {job.Failed} failed");
    return job.Status == "completed" ? 0 : 1;
}
catch (HttpRequestException problem)
{
    Console.Error.WriteLine(problem.Message);
    return 1;
}

async Task<string> Start(string sessionId, string message, IEnumerable<string> recipients)
{
    var path = $"/api/whatsapp/session/{Uri.EscapeDataString(sessionId)}/send-bulk";
    var body = JsonSerializer.Serialize(new { message, recipients });
    var request = new HttpRequestMessage(HttpMethod.Post, path);
    request.Content = new StringContent(body, new MediaTypeHeaderValue("application/json"));
    // The same campaign has the same key: started twice within a day, it is one job.
    var key = SHA256.HashData(Encoding.UTF8.GetBytes(path + body));
    request.Headers.Add("Idempotency-Key", Convert.ToHexString(key));
    return (await Call<Made>(request)).JobId;
}

async Task<Job> Watch(string jobId)
{
    for (var shown = ""; ; await Task.Delay(2000))
    {
        var job = await Call<Job>(new HttpRequestMessage(HttpMethod.Get, $"/api/whatsapp/bulk-job/{jobId}"));
        var line = $"{job.Processed}/{job.Total} {job.State}";
        if (job.Waiting is { } waiting) line += $": {waiting.Message}";
        if (job.Waiting?.Until is { } until) line += $", until {until}";
        if (line != shown) Console.WriteLine(line);
        shown = line;
        if (job.Status is "completed" or "failed") return job;
    }
}

async Task<T> Call<T>(HttpRequestMessage request)
{
    using var response = await http.SendAsync(request);
    if (!response.IsSuccessStatusCode)
    {
        var refusal = (await response.Content.ReadFromJsonAsync<Refusal>())!;
        throw new HttpRequestException($"{refusal.Error} ({refusal.Code})");
    }
    return (await response.Content.ReadFromJsonAsync<T>())!;
}

record Made(string JobId);
record Refusal(string Error, string Code);
record Waiting(string Message, string? Until);
record Job(string Status, string State, int Processed, int Total, int Succeeded, int Failed, Waiting? Waiting);
