// Sends one text to many and watches the job to its end.
//
//	WAPID_KEY=wapid_test_… go run bulk.go [--session main] TEXT NUMBER...
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"time"
)

type job struct {
	Status    string
	State     string
	Processed int
	Total     int
	Succeeded int
	Failed    int
	Waiting   *struct {
		Message string
		Until   string
	}
}

func call(method, path string, header http.Header, body []byte, answer any) error {
	base := os.Getenv("WAPID_URL")
	if base == "" {
		base = "http://127.0.0.1:8080"
	}
	request, err := http.NewRequest(method, base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header = header
	request.Header.Set("X-API-Key", os.Getenv("WAPID_KEY"))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		var refusal struct{ Error, Code string }
		if err := json.NewDecoder(response.Body).Decode(&refusal); err != nil {
			return err
		}
		return fmt.Errorf("%s (%s)", refusal.Error, refusal.Code)
	}
	return json.NewDecoder(response.Body).Decode(answer)
}

func start(session, message string, recipients []string) (string, error) {
	path := "/api/whatsapp/session/" + url.PathEscape(session) + "/send-bulk"
	body, err := json.Marshal(map[string]any{"message": message, "recipients": recipients})
	if err != nil {
		return "", err
	}
	// The same campaign has the same key: started twice within a day, it is one job.
	key := sha256.Sum256(append([]byte(path), body...))
	header := http.Header{}
	header.Set("Content-Type", "application/json")
	header.Set("Idempotency-Key", fmt.Sprintf("%x", key))
	var made struct{ JobID string }
	err = call("POST", path, header, body, &made)
	return made.JobID, err
}

func watch(jobID string) (job, error) {
	for shown := ""; ; time.Sleep(2 * time.Second) {
		var now job
		if err := call("GET", "/api/whatsapp/bulk-job/"+jobID, http.Header{}, nil, &now); err != nil {
			return now, err
		}
		line := fmt.Sprintf("%d/%d %s", now.Processed, now.Total, now.State)
		if now.Waiting != nil {
			line += ": " + now.Waiting.Message
			if now.Waiting.Until != "" {
				line += ", until " + now.Waiting.Until
			}
		}
		if line != shown {
			fmt.Println(line)
			shown = line
		}
		if now.Status == "completed" || now.Status == "failed" {
			return now, nil
		}
	}
}

func main() {
	log.SetFlags(0)
	session, words := "main", os.Args[1:]
	if len(words) > 1 && words[0] == "--session" {
		session, words = words[1], words[2:]
	}
	if len(words) < 2 {
		log.Println("usage: go run bulk.go [--session main] TEXT NUMBER...")
		os.Exit(2)
	}
	jobID, err := start(session, words[0], words[1:])
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("Job", jobID)
	end, err := watch(jobID)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d sent, %d failed\n", end.Succeeded, end.Failed)
	if end.Status != "completed" {
		os.Exit(1)
	}
}
