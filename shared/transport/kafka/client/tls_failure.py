"""What a failed TLS handshake means, in words for a person: (what is wrong, what to do)."""

from __future__ import annotations

import ssl
from typing import Final

_NOT_YET_VALID: Final = 9
_EXPIRED: Final = 10
_WRONG_NAME: Final = (62, 64)
_UNKNOWN_AUTHORITY: Final = (18, 19, 20, 21)


def certificate_problem(error: ssl.SSLCertVerificationError) -> tuple[str, str]:
    """Why we do not trust the broker. The numbers are OpenSSL's X509_V_ERR_…"""
    what = f"we do not trust its certificate ({error.verify_message.rstrip('.')})"
    if error.verify_code in _WRONG_NAME:
        return what, "in KAFKA_BOOTSTRAP_SERVERS use a name that stands in the broker's certificate"
    if error.verify_code in _UNKNOWN_AUTHORITY:
        return what, "KAFKA_SSL_CAFILE must hold the authority that signed it"
    if error.verify_code in (_EXPIRED, _NOT_YET_VALID):
        return what, "renew the broker's certificate, or set this machine's clock right"
    return what, "the broker needs another certificate, or KAFKA_SSL_CAFILE another authority"


def refusal(error: OSError, *, with_certificate: bool) -> tuple[str, str] | None:
    """Why the broker does not trust us; None when it is no refusal. With TLS 1.3 it comes with the first answer only."""
    alert = (error.reason or "") if isinstance(error, ssl.SSLError) else ""
    if "ALERT" not in alert:
        return None
    spoken = alert.partition("ALERT_")[2].lower().replace("_", " ")
    if "CERTIFICATE" not in alert and "UNKNOWN_CA" not in alert:
        return f"it refuses the TLS handshake ({spoken})", "compare its TLS versions and ciphers with this machine's"
    if with_certificate:
        remedy = "KAFKA_SSL_CERTFILE must be valid and signed by an authority that the broker trusts"
        return f"it refuses our client certificate ({spoken})", remedy
    return f"it wants a client certificate ({spoken})", "set KAFKA_SSL_CERTFILE and KAFKA_SSL_KEYFILE"
