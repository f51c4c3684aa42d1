import requests, time, os
BASE = "https://api.wapiconnect.cloud"
HEADERS = {"X-API-Key": os.environ["WAPI_KEY"]}
resp = requests.post(
    f"{BASE}/api/whatsapp/session/main/send-bulk",
    headers=HEADERS,
    json={
        "recipients": ["919876543210", "919876543211"],
        "message": "Big Sale! 40% off today.",
        "delayMin": 3000,
        "delayMax": 7000,
    },
)
job_id = resp.json()["jobId"]
while True:
    job = requests.get(f"{BASE}/api/whatsapp/bulk-job/{job_id}", headers=HEADERS).json()
    print(f"{job['processed']}/{job['total']} sent")
    if job["status"] in ("completed", "failed"):
        break
    time.sleep(3)
