"""The few words syncd itself writes into calendars, by language; Spanish where a language is not known."""

WORDS = {
    "es": {
        "busy": "Ocupado",
        "visit": "Visita",
        "client": "Cliente",
        "email": "Correo",
        "phone": "Teléfono",
        "property": "Propiedad",
        "tax_id": "RUT",
    },
    "it": {
        "busy": "Occupato",
        "visit": "Visita",
        "client": "Cliente",
        "email": "Email",
        "phone": "Telefono",
        "property": "Immobile",
        "tax_id": "Codice fiscale",
    },
    "en": {
        "busy": "Busy",
        "visit": "Visit",
        "client": "Client",
        "email": "Email",
        "phone": "Phone",
        "property": "Property",
        "tax_id": "Tax id",
    },
    "de": {
        "busy": "Beschäftigt",
        "visit": "Besichtigung",
        "client": "Kunde",
        "email": "E-Mail",
        "phone": "Telefon",
        "property": "Objekt",
        "tax_id": "Steuernummer",
    },
}


def word(name: str, locale: str) -> str:
    """Return a word in the locale's language ("es_CL" -> Spanish)."""
    return WORDS.get(locale[:2], WORDS["es"])[name]
