import requests, random, os
API_KEY = os.environ["WAPI_KEY"]
BASE = "https://api.wapiconnect.cloud"
def send_otp(phone: str, otp: str):
    requests.post(
        f"{BASE}/api/whatsapp/session/main/send",
        headers={"X-API-Key": API_KEY},
        json={
            "to": phone,
            "header": "Verification Code",
            "message": f"Your OTP is *{otp}*. Valid for 10 minutes.",
            "footer": "WapiConnect Security",
        },
    ).raise_for_status()
otp = f"{random.randint(0, 999999):06d}"
send_otp("919876543210", otp)
