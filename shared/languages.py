"""The languages of Whisper: code to English name. Pure.

The codes are the model's own, which is why Cantonese has three letters and Javanese is `jw`.
"""

from typing import Final

from shared.errors import BadParameter

AUTO: Final = "auto"
"""Asks the model which language is spoken."""

LANGUAGES: Final[dict[str, str]] = {
    "af": "Afrikaans",
    "am": "Amharic",
    "ar": "Arabic",
    "as": "Assamese",
    "az": "Azerbaijani",
    "ba": "Bashkir",
    "be": "Belarusian",
    "bg": "Bulgarian",
    "bn": "Bengali",
    "bo": "Tibetan",
    "br": "Breton",
    "bs": "Bosnian",
    "ca": "Catalan",
    "cs": "Czech",
    "cy": "Welsh",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "et": "Estonian",
    "eu": "Basque",
    "fa": "Persian",
    "fi": "Finnish",
    "fo": "Faroese",
    "fr": "French",
    "gl": "Galician",
    "gu": "Gujarati",
    "ha": "Hausa",
    "haw": "Hawaiian",
    "he": "Hebrew",
    "hi": "Hindi",
    "hr": "Croatian",
    "ht": "Haitian Creole",
    "hu": "Hungarian",
    "hy": "Armenian",
    "id": "Indonesian",
    "is": "Icelandic",
    "it": "Italian",
    "ja": "Japanese",
    "jw": "Javanese",
    "ka": "Georgian",
    "kk": "Kazakh",
    "km": "Khmer",
    "kn": "Kannada",
    "ko": "Korean",
    "la": "Latin",
    "lb": "Luxembourgish",
    "ln": "Lingala",
    "lo": "Lao",
    "lt": "Lithuanian",
    "lv": "Latvian",
    "mg": "Malagasy",
    "mi": "Maori",
    "mk": "Macedonian",
    "ml": "Malayalam",
    "mn": "Mongolian",
    "mr": "Marathi",
    "ms": "Malay",
    "mt": "Maltese",
    "my": "Burmese",
    "ne": "Nepali",
    "nl": "Dutch",
    "nn": "Norwegian Nynorsk",
    "no": "Norwegian",
    "oc": "Occitan",
    "pa": "Punjabi",
    "pl": "Polish",
    "ps": "Pashto",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sa": "Sanskrit",
    "sd": "Sindhi",
    "si": "Sinhala",
    "sk": "Slovak",
    "sl": "Slovenian",
    "sn": "Shona",
    "so": "Somali",
    "sq": "Albanian",
    "sr": "Serbian",
    "su": "Sundanese",
    "sv": "Swedish",
    "sw": "Swahili",
    "ta": "Tamil",
    "te": "Telugu",
    "tg": "Tajik",
    "th": "Thai",
    "tk": "Turkmen",
    "tl": "Tagalog",
    "tr": "Turkish",
    "tt": "Tatar",
    "uk": "Ukrainian",
    "ur": "Urdu",
    "uz": "Uzbek",
    "vi": "Vietnamese",
    "yi": "Yiddish",
    "yo": "Yoruba",
    "yue": "Cantonese",
    "zh": "Chinese",
}

NUMERAL_LANGUAGES: Final = frozenset({"da", "de", "en", "es", "fr", "it", "nl", "pt"})
"""Languages in which spoken numbers can be written as digits (`numerals=digits`): those of text2num."""

PROFANITY_LANGUAGES: Final[dict[str, str]] = {
    code: LANGUAGES[code].lower()
    for code in (
        *("ar", "cs", "da", "de", "en", "es", "fa", "fi", "fr", "hi", "hu"),
        *("it", "ko", "nl", "no", "pl", "pt", "ru", "sv", "tr"),
    )
}
"""Languages in which profanity can be masked, with the names of glin-profanity's word lists. Its lists for
Chinese, Japanese and Thai are left out: there, words can't be told apart without a dictionary."""


def check_language(value: str) -> str:
    """The code that `value` stands for, or `auto`. Raises `BadParameter`."""
    code = value.strip().lower()
    if code != AUTO and code not in LANGUAGES:
        raise BadParameter("language must be a Whisper language code such as en, de or yue, or auto")
    return code


def check_languages(value: str) -> tuple[str, ...]:
    """The codes of a list with commas, each once. Raises `BadParameter`."""
    codes = tuple(dict.fromkeys(check_language(item) for item in value.split(",")))
    if AUTO in codes:
        raise BadParameter("languages must be language codes with commas between them, such as de,en")
    return codes
