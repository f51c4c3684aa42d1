import java.net.URI;
import java.net.http.*;
import java.util.concurrent.TimeUnit;
public class BulkCampaign {
    static final String BASE = "https://api.wapiconnect.cloud";
    static final String API_KEY = System.getenv("WAPI_KEY");
    static final HttpClient HTTP = HttpClient.newHttpClient();
    static String post(String path, String json) throws Exception {
        var req = HttpRequest.newBuilder()
            .uri(URI.create(BASE + path))
            .header("X-API-Key", API_KEY)
            .header("Content-Type", "application/json")
            .POST(HttpRequest.BodyPublishers.ofString(json)).build();
        return HTTP.send(req, HttpResponse.BodyHandlers.ofString()).body();
    }
    static String get(String path) throws Exception {
        var req = HttpRequest.newBuilder()
            .uri(URI.create(BASE + path))
            .header("X-API-Key", API_KEY).GET().build();
        return HTTP.send(req, HttpResponse.BodyHandlers.ofString()).body();
    }
    public static void main(String[] args) throws Exception {
        String body = "{\"recipients\":[\"919876543210\",\"919876543211\"],"
            + "\"message\":\"Big Sale! 40% off today.\","
            + "\"delayMin\":3000,\"delayMax\":7000}";
        String job = post("/api/whatsapp/session/main/send-bulk", body);
        String jobId = job.split("\"jobId\":\"")[1].split("\"")[0];
        while (true) {
            TimeUnit.SECONDS.sleep(3);
            String status = get("/api/whatsapp/bulk-job/" + jobId);
            System.out.println(status);
            if (status.contains("\"completed\"") || status.contains("\"failed\"")) break;
        }
    }
}
