// Receives webhooks and refuses what wapid did not sign. Needs nothing but Go.
//
//	WAPID_WEBHOOK_SECRET=whsec_… PORT=4000 go run receive.go
//
// Three ways to verify, each at a path of its own here: take one.
package main

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"
)

const tolerance = 300 * time.Second

var key = readKey(os.Getenv("WAPID_WEBHOOK_SECRET"))

func readKey(secret string) []byte {
	if secret == "" {
		log.Fatal("set WAPID_WEBHOOK_SECRET")
	}
	if !strings.HasPrefix(secret, "whsec_") {
		return []byte(secret)
	}
	key, err := base64.StdEncoding.DecodeString(secret[6:])
	if err != nil {
		log.Fatal(err)
	}
	return key
}

func digest(parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, key)
	for _, part := range parts {
		mac.Write(part)
	}
	return mac.Sum(nil)
}

// Standard Webhooks: notices a replay, and holds two signatures while you change the secret.
func standard(headers http.Header, body []byte) bool {
	id, timestamp := headers.Get("webhook-id"), headers.Get("webhook-timestamp")
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if id == "" || err != nil || time.Since(time.Unix(seconds, 0)).Abs() > tolerance {
		return false
	}
	mac := digest([]byte(id+"."+timestamp+"."), body)
	expected := "v1," + base64.StdEncoding.EncodeToString(mac)
	for _, signature := range strings.Split(headers.Get("webhook-signature"), " ") {
		if hmac.Equal([]byte(signature), []byte(expected)) {
			return true
		}
	}
	return false
}

// The one-line way: a hash of the body as it came.
func rawBody(headers http.Header, body []byte) bool {
	expected := "sha256=" + hex.EncodeToString(digest(body))
	return hmac.Equal([]byte(headers.Get("X-Webhook-Signature")), []byte(expected))
}

// The field `signature` is last and signs the body without it, so it is cut off, not parsed.
func inBody(_ http.Header, body []byte) bool {
	cut := len(body) - 80
	if cut < 0 {
		return false
	}
	expected := fmt.Sprintf(`,"signature":"%x"}`, digest(body[:cut], []byte("}")))
	return hmac.Equal(body[cut:], []byte(expected))
}

func receive(verify func(http.Header, []byte) bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || !verify(r.Header, body) {
			http.Error(w, "refused", http.StatusUnauthorized)
			return
		}
		// Genuine. `webhook-id` is the same when an event comes again; now `json.Unmarshal(body, …)`.
		fmt.Fprintf(w, "ok %s\n", r.Header.Get("webhook-id"))
	}
}

func main() {
	port := os.Getenv("PORT")
	if port == "" {
		port = "4000"
	}
	http.HandleFunc("/", receive(standard))
	http.HandleFunc("/raw-body", receive(rawBody))
	http.HandleFunc("/in-body", receive(inBody))
	log.Fatal(http.ListenAndServe("127.0.0.1:"+port, nil))
}
