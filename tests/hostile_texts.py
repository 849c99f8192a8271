"""Hostile strings, and valid strings that resemble them and must be kept."""

HOSTILE_TEXTS = {
    "nothing": "",
    "spaces": " \t\n\u3000 ",
    "markup": "<script>alert(1)</script>",
    "attribute": '"><img src=x onerror=alert(1)>',
    "template": "{{7*7}} ${7*7} {0} {name} %s %(x)s",
    "sql": "Robert'); DROP TABLE message;--",
    "null": "a\0b",
    "control": "\x01\x1b[31mred\x1b[0m\x07\x7f\x9b",
    "bidi override": "\u202eevil\u202d \u2066isolated\u2069 \u200fmark",
    "zalgo": "Z" + "\u0300\u0316\u0489\u0361" * 50 + "algo",
    "marks alone": "\u0301" * 40,
    "zero width": "in\u200bvis\u200cible\u200d\ufeff\u2060",
    "zero width alone": "\u200b\u200d\u2060\ufeff",
    "fillers": "\u115f\u3164\uffa0\u2800\u00ad",
    "tags": "a\U000e0001\U000e0061\U000e007f",
    "surrogate": "\ud83d half",
    "private and unassigned": "\ue000\uffff\U0010ffff\u0378",
    "line separators": "a\u2028b\u2029c\x85d\x0be\x0cf",
    "one endless grapheme": "\U0001f469\u200d" * 5_000 + "\U0001f680",
    "endless jamo": "\u1100" * 5_000,
    "long": "a" * 100_000,
    "many lines": "a\n" * 5_000,
    "prototype": "__proto__ constructor NaN null undefined",
    "path": "../../../etc/passwd\\..\\",
    "arabic": "\ufdfd \u0645\u0631\u062d\u0628\u0627",
    "devanagari": "\u0928\u092e\u0938\u094d\u0924\u0947",
    "turkish": "\u0130\u0131 I i",
}
"""Hostile strings by their kind."""

VALID_EMOJI = {
    "astronaut": "\U0001f469\u200d\U0001f680",
    "family": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "kiss in two skins": (
        "\U0001f469\U0001f3fb\u200d\u2764\ufe0f\u200d\U0001f48b\u200d\U0001f469\U0001f3ff"
    ),
    "rainbow flag": "\U0001f3f3\ufe0f\u200d\U0001f308",
    "flag of Japan": "\U0001f1ef\U0001f1f5",
    "keycap": "1\ufe0f\u20e3",
    "heart": "\u2764\ufe0f",
    "thumb in a skin": "\U0001f44d\U0001f3fd",
}
"""Valid emoji with invisible characters."""

STACKED_MARKS = [
    # Burmese, Shan, Mon
    "လျှော့",
    "လျှို့ဝှက်",
    "ကျွန်ုပ်",
    "ယောက်ျား",
    "သင်္ဘော",
    "ညွှို့",
    "ၵႂ်ႈ",
    "က္ဍိုဟ်",
    # Tibetan, with Sanskrit in Tibetan letters
    "བསྒྲུབས",
    "རྐྱེན",
    "ཧཱུྃ",
    "ཧྲཱིཿ",
    "ཧྐྵྨླྺྼྻྂ",
    # Khmer, Thai, Lao, Tai Tham
    "ស្ត្រី",
    "ប៊ុំ",
    "ប៉ុន្តែ",
    "ญี่ปุ่น",
    "น้ำ",
    "ซึ่ง",
    "ຫຼັ້ນ",
    "ນ້ໍາ",
    "ᨻᩮᩬᩥ᩵ᩋ",
    "ᨻᩖᩬᩥᩴ᩵",
    # Marchen
    "\U00011c8f\U00011caa\U00011cb1\U00011cb3\U00011cb5\U00011cb6",
    # Vietnamese, Greek, phonetic alphabets
    "nghiễng",
    "thuở",
    "ᾧ",
    "ᾱ̓́",
    "ɔ̰̃́",
    # Hebrew with points and accents
    "יְרוּשָׁלִַ֔ם",
    "הַשֵּׁ֥ם",
    "פָּנָֽ͏ַ֗י",
    "תִּֿרְצָ֖͏ֽח",
    "וַיְשֻׁלְּח֣וּ",
    # Arabic, Urdu, Syriac
    "ٱللَّهِ",
    "ٱلضَّآلِّينَ",
    "شَيْـًۭٔا",
    "هَٰٓؤُلَآءِ",
    "فِيهِۛۗ",
    "ܡܲܠܟܹ̈ܐ",
    # Devanagari, Bengali, Kannada, Malayalam, Telugu, Sinhala, Tamil
    "अ॒ग्निमी॑ळे",
    "र्क्ष्म्यैं",
    "কর্ত্রোঁ",
    "ಜ಼ೋಂಃ",
    "സ്ത്രീ",
    "స్త్రీలు",
    "ශ්රේෂ්ඨ",
    "ஸ்ரீ",
    # Balinese, Javanese, Sundanese
    "ᬓ᭄ᬱ᭄ᬫ᭄ᬬᬂ",
    "ꦏꦿꦸꦁ",
    "ᮊᮢᮤᮀ",
    # Church Slavonic, Coptic, Ethiopic, N'Ko, Adlam, Thaana
    "прⷭ҇нѡ",
    "ⲓ̅ⲥ̅",
    "አ፞",
    "ߒߞߏ߫",
    "𞤆𞤵𞤤𞤢𞥄𞤪",
    "ދިވެހި",
]
"""Words with stacked combining marks."""
