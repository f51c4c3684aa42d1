package main
import (
	"bytes"; "encoding/json"; "fmt"
	"io"; "net/http"; "os"; "time"
)
var (
	apiKey = os.Getenv("WAPI_KEY")
	base = "https://api.wapiconnect.cloud"
)
func post(path string, body any) map[string]any {
	b, _ := json.Marshal(body)
	req, _ := http.NewRequest("POST", base+path, bytes.NewReader(b))
	req.Header.Set("X-API-Key", apiKey)
	req.Header.Set("Content-Type", "application/json")
	resp, _ := http.DefaultClient.Do(req)
	data, _ := io.ReadAll(resp.Body)
	var result map[string]any
	json.Unmarshal(data, &result)
	return result
}
func get(path string) map[string]any {
	req, _ := http.NewRequest("GET", base+path, nil)
	req.Header.Set("X-API-Key", apiKey)
	resp, _ := http.DefaultClient.Do(req)
	data, _ := io.ReadAll(resp.Body)
	var result map[string]any
	json.Unmarshal(data, &result)
	return result
}
func main() {
	job := post("/api/whatsapp/session/main/send-bulk", map[string]any{
		"recipients": []string{"919876543210", "919876543211"},
		"message": "Big Sale! 40% off today.",
		"delayMin": 3000, "delayMax": 7000,
	})
	jobID := job["jobId"].(string)
	for {
		time.Sleep(3 * time.Second)
		s := get("/api/whatsapp/bulk-job/" + jobID)
		fmt.Printf("%.0f/%.0f sent\n", s["processed"], s["total"])
		if st, _ := s["status"].(string); st == "completed" || st == "failed" {
			break
		}
	}
}
