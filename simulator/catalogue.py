"""The data that simulated entries are made from. Weights are parts of their sum, not percentages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

TENANT: Final = "acme"
HOST: Final = "acme.eu.auth0.com"

#: Which fields an entry has; `shapes.py` holds one function for each.
Shape = Literal["login", "refused", "exchange", "machine", "block", "factor", "account", "api", "notice"]


@dataclass(frozen=True, slots=True)
class EntryKind:
    """A log type, and how often it occurs in a tenant with many end users."""

    type: str
    weight: float
    shape: Shape
    description: str


@dataclass(frozen=True, slots=True)
class City:
    country_code: str
    country_code3: str
    country_name: str
    city_name: str
    latitude: float
    longitude: float
    time_zone: str
    continent_code: str


@dataclass(frozen=True, slots=True)
class Browser:
    #: As Auth0 writes it: parsed, not the header.
    name: str
    mobile: bool


@dataclass(frozen=True, slots=True)
class ClientApp:
    name: str
    client_id: str
    audience: str
    scope: str
    #: Runs on phones only.
    mobile: bool = False


@dataclass(frozen=True, slots=True)
class IdentityConnection:
    name: str
    connection_id: str
    strategy: str
    strategy_type: str
    #: How the ids of its users begin.
    prefix: str
    #: Share of the people.
    weight: float


KINDS: Final = (
    EntryKind("s", 270, "login", ""),
    EntryKind("seacft", 170, "exchange", ""),
    EntryKind("ssa", 90, "login", ""),
    EntryKind("sertft", 70, "exchange", ""),
    EntryKind("slo", 60, "login", "User successfully logged out"),
    EntryKind("seccft", 50, "machine", ""),
    EntryKind("fp", 65, "refused", "Wrong email or password."),
    EntryKind("fu", 22, "refused", "Wrong email or password."),
    EntryKind("f", 22, "refused", "Unauthorized"),
    EntryKind("fsa", 28, "refused", "Login required"),
    EntryKind("ss", 24, "login", ""),
    EntryKind("fs", 6, "refused", "The user already exists."),
    EntryKind("gd_start_auth", 18, "factor", "Guardian - Second factor authentication started"),
    EntryKind("gd_send_pn", 10, "factor", "Guardian - Push notification sent"),
    EntryKind("gd_auth_succeed", 16, "factor", "Guardian - Second factor authentication succeeded"),
    EntryKind("gd_auth_failed", 3, "factor", "Guardian - Second factor authentication failed (wrong code)"),
    EntryKind("gd_enrollment_complete", 2, "factor", "Guardian - Enrollment complete (push)"),
    EntryKind("cls", 6, "account", "Passwordless login code/link has been sent"),
    EntryKind("svr", 6, "account", "Verification email was sent"),
    EntryKind("sv", 6, "account", "Your email was verified. You can continue using the application."),
    EntryKind("scpr", 8, "account", "You've just been sent an email to reset your password."),
    EntryKind("scp", 6, "account", "You can now log in to the application with the new password."),
    EntryKind("fcp", 2, "account", "The verification code has expired"),
    EntryKind("du", 1, "account", "User deleted"),
    EntryKind("limit_wc", 4, "block", "User has been blocked for 10 or more wrong login attempts"),
    EntryKind("limit_mu", 2, "block", "An IP address is blocked because of too many failed logins"),
    EntryKind("pwd_leak", 3, "block", "Someone attempted to log in with a leaked password"),
    EntryKind("ublkdu", 2, "block", "User unblocked"),
    EntryKind("fertft", 5, "exchange", "Unknown or invalid refresh token."),
    EntryKind("feccft", 2, "machine", "Unauthorized"),
    EntryKind("w", 2, "login", "You are using Auth0 development keys which are only intended for use in development"),
    EntryKind("sapi", 10, "api", "Update a User"),
    EntryKind("fapi", 3, "api", "Insufficient scope, expected any of: update:users"),
    EntryKind("mgmt_api_read", 8, "api", "Get Users"),
    EntryKind("api_limit_warning", 1, "notice", "Global per second rate limit is about to be reached"),
    EntryKind("depnote", 1, "notice", "Legacy log search is deprecated"),
)

CITIES: Final = (
    City("DE", "DEU", "Germany", "München", 48.1374, 11.5755, "Europe/Berlin", "EU"),
    City("DE", "DEU", "Germany", "Hamburg", 53.5753, 10.0153, "Europe/Berlin", "EU"),
    City("AT", "AUT", "Austria", "Graz", 47.0667, 15.45, "Europe/Vienna", "EU"),
    City("FR", "FRA", "France", "Saint-Étienne", 45.4339, 4.39, "Europe/Paris", "EU"),
    City("ES", "ESP", "Spain", "A Coruña", 43.3713, -8.396, "Europe/Madrid", "EU"),
    City("PL", "POL", "Poland", "Łódź", 51.7592, 19.456, "Europe/Warsaw", "EU"),
    City("GB", "GBR", "United Kingdom", "Leeds", 53.7965, -1.5478, "Europe/London", "EU"),
    City("US", "USA", "United States", "Seattle", 47.6062, -122.3321, "America/Los_Angeles", "NA"),
    City("US", "USA", "United States", "Columbus", 39.9612, -82.9988, "America/New_York", "NA"),
    City("CA", "CAN", "Canada", "Montréal", 45.5088, -73.5878, "America/Toronto", "NA"),
    City("MX", "MEX", "Mexico", "Mérida", 20.9754, -89.6169, "America/Merida", "NA"),
    City("BR", "BRA", "Brazil", "São Paulo", -23.5475, -46.6361, "America/Sao_Paulo", "SA"),
    City("IN", "IND", "India", "Pune", 18.5196, 73.8553, "Asia/Kolkata", "AS"),
    City("JP", "JPN", "Japan", "Sapporo", 43.0667, 141.35, "Asia/Tokyo", "AS"),
    City("KR", "KOR", "South Korea", "Busan", 35.1028, 129.0403, "Asia/Seoul", "AS"),
    City("NG", "NGA", "Nigeria", "Ibadan", 7.3776, 3.9059, "Africa/Lagos", "AF"),
    City("AU", "AUS", "Australia", "Perth", -31.9522, 115.8614, "Australia/Perth", "OC"),
)

BROWSERS: Final = (
    Browser("Chrome 142.0.0 / Windows 10.0.0", mobile=False),
    Browser("Chrome 142.0.0 / Mac OS X 10.15.7", mobile=False),
    Browser("Chrome 141.0.0 / Linux 0.0.0", mobile=False),
    Browser("Firefox 145.0.0 / Windows 10.0.0", mobile=False),
    Browser("Firefox 144.0.0 / Ubuntu 0.0.0", mobile=False),
    Browser("Edge 142.0.0 / Windows 10.0.0", mobile=False),
    Browser("Safari 26.1.0 / Mac OS X 10.15.7", mobile=False),
    Browser("Mobile Safari 26.1.0 / iOS 26.1.0", mobile=True),
    Browser("Mobile Safari 18.6.0 / iOS 18.6.0", mobile=True),
    Browser("Chrome Mobile 142.0.0 / Android 16.0.0", mobile=True),
    Browser("Samsung Internet 28.0.0 / Android 15.0.0", mobile=True),
)

APPLICATIONS: Final = (
    ClientApp("Acme Shop", "Qx7mTz2LkV9bRf4nWc8sYp1dHg6jUe3a", "https://api.acme.example/shop", "openid profile email"),
    ClientApp(
        "Acme App", "b4NcPq8ZrXt1VwKy6MdFs9JhLg3TuEo5", "https://api.acme.example/shop", "openid offline_access", mobile=True
    ),
    ClientApp("Partner Portal", "Zt9RvXw3KpLm6QbNc1HsYd8GfJk5TuAe", "https://api.acme.example/partners", "openid email"),
    ClientApp("Help Desk", "n6YcBx4VtQk9WzRm2PsLd7HfGj1TuEa8", "https://api.acme.example/desk", "openid profile email groups"),
)

#: Applications that act without a user.
MACHINES: Final = (
    ClientApp("Nightly Sync", "M3kVt8ZqXw5RbNy1PcLs7HdGf9JjTuEa", "https://acme.eu.auth0.com/api/v2/", "read:users update:users"),
    ClientApp("Billing", "y8RxWm2TzVk6QnBc4PsLd1HfGj7TuEa5", "https://api.acme.example/billing", "read:invoices"),
)

CONNECTIONS: Final = (
    IdentityConnection("Username-Password-Authentication", "con_9Vt2KxQm7RzWnBc4", "auth0", "database", "auth0", 60),
    IdentityConnection("google-oauth2", "con_4LkPs8HdYg1JfTuE", "google-oauth2", "social", "google-oauth2", 22),
    IdentityConnection("apple", "con_7ZqXw5RbNy3McVt1", "apple", "social", "apple", 8),
    IdentityConnection("acme-workforce", "con_2GfJj9TuEaPsLd6H", "waad", "enterprise", "waad", 7),
    IdentityConnection("email", "con_5WmTzVk8QnBcRx3Y", "email", "passwordless", "email", 3),
)

FIRST_NAMES: Final = (
    "Amara", "Anna", "Björn", "Camille", "Chidi", "Daan", "Elif", "Emma", "Farid", "Giulia", "Hana", "Ines", "Jakub", "Jürgen",
    "Kateřina", "Liam", "Łukasz", "Mei", "Mia", "Noah", "Nuno", "Olga", "Priya", "Ravi", "Sofía", "Søren", "Tomás", "Yuki", "Zoë",
)  # fmt: skip

SURNAMES: Final = (
    "Adeyemi", "Almeida", "Baker", "Brandt", "Castañeda", "Chen", "Dubois", "Eriksson", "Fischer", "García", "Hansen", "Ito",
    "Kowalski", "Köhler", "Lefèvre", "Müller", "Nguyen", "Novák", "O'Brien", "Okafor", "Patel", "Rossi", "Sato", "Singh",
)  # fmt: skip
