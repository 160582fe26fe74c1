"""How amounts of money, percents and numbers are written in each language, digit for digit: nothing is rounded.

Signs, groups and symbols are CLDR 48's (a test asks ICU); currencies and their minor units are ISO 4217's.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from unicodedata import category

NUMBER, PERCENT = "number", "percent"

_CURRENCIES = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLF CLP CNY COP "
    "CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD "
    "IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR "
    "MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP "
    "SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UYW UZS VED VES VND VUV WST XAF XCD "
    "XCG XOF XPF YER ZAR ZMW ZWG"
)
_MINOR_UNITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}  # 2 of every other

_MOST = (
    "AUD=A$ BRL=R$ CAD=CA$ CNY=CN¥ EUR=€ GBP=£ HKD=HK$ ILS=₪ INR=₹ JPY=¥ KRW=₩ MXN=MX$ NZD=NZ$ TWD=NT$ USD=$ VND=₫ XAF=FCFA "
    "XCD=EC$ XCG=Cg. XOF=F\u202fCFA XPF=CFPF "
)
_SYMBOLS = {
    "en": _MOST + "PHP=₱",
    "de": _MOST + "AUD=AU$ THB=฿",
    "fr": "ARS=$AR AUD=$AU BMD=$BM BND=$BN BRL=R$ BZD=$BZ CAD=$CA CLP=$CL COP=$CO EUR=€ FJD=$FJ FKP=£FK GBP=£GB GIP=£GI ILS=₪ "
    "INR=₹ KRW=₩ LBP=£LB MXN=$MX NAD=$NA NZD=$NZ SBD=$SB SGD=$SG SRD=$SR TTD=$TT USD=$US UYU=$UY VND=₫ WST=$WS XAF=FCFA "
    "XCG=Cg. XOF=F\u202fCFA XPF=FCFP",
    "es": "EUR=€ THB=฿ USD=US$ VND=₫ XCG=Cg. XPF=CFPF",
    "ja": _MOST + "CNY=元 JPY=￥ XCG=Cg",
    "zh": _MOST + "AUD=AU$ CNY=¥ JPY=JP¥ USD=US$",
}  # a currency that is not here is written by its code
_GROUPS = {"de": ".", "fr": "\u202f", "es": "."}  # between thousands; a comma in every other language
_LEAST_GROUPED = {"es": 5}  # digits before the decimal separator
_BEFORE_SIGN = {"de": "\u00a0", "fr": "\u00a0", "es": "\u00a0"}  # between an amount and what follows it
_BEFORE_PERCENT = {**_BEFORE_SIGN, "fr": "\u202f"}
_CODE = re.compile("[A-Z]{3}")
_PLAIN = re.compile(r"(-?)([0-9]{1,100})(?:\.([0-9]{1,100}))?")


def is_currency(code: Any) -> bool:
    return isinstance(code, str) and _CODE.fullmatch(code) is not None and code in _CURRENCIES


def unit(format_: Any) -> str | None:
    """What stands beside a field: a currency's code, or "%". None for a number."""
    return format_["currency"] if isinstance(format_, Mapping) else "%" if format_ == PERCENT else None


def written(language: str, number: Decimal | float | str, format_: str | Mapping[str, str], decimal: str) -> str | None:
    """Return a number as `format_` says: "number", "percent" (19 is 19%) or {"currency"}. None: it is too long for that.

    An amount has at least the digits of its currency's minor unit. `decimal` is the language's separator.
    """
    text = number if isinstance(number, str) else str(number)
    if "e" in text.lower() and abs(Decimal(text).adjusted()) < 30:
        text = f"{Decimal(text):f}"
    found = _PLAIN.fullmatch(text)
    if not found:
        return None
    sign, fraction = found[1], found[3] or ""
    currency = None if isinstance(format_, str) else format_["currency"]
    if currency or isinstance(number, float):
        fraction = fraction.rstrip("0")
    if currency:
        fraction = fraction.ljust(next((digits for digits, codes in _MINOR_UNITS.items() if currency in codes), 2), "0")
    digits = _grouped(language, found[2].lstrip("0") or "0") + (decimal + fraction if fraction else "")
    if currency:
        return sign + _with_symbol(language, digits, currency)
    return sign + digits + (_BEFORE_PERCENT.get(language, "") + "%" if format_ == PERCENT else "")


def _grouped(language: str, whole: str) -> str:
    if len(whole) < _LEAST_GROUPED.get(language, 4):
        return whole
    return f"{int(whole):,}".replace(",", _GROUPS.get(language, ","))


def _with_symbol(language: str, digits: str, currency: str) -> str:
    symbols = dict(one.split("=") for one in _SYMBOLS[language].split(" "))
    symbol = symbols.get(currency, currency)
    if language in _BEFORE_SIGN:
        return f"{digits}{_BEFORE_SIGN[language]}{symbol}"
    return f"{symbol}{'' if category(symbol[-1]) == 'Sc' else '\u00a0'}{digits}"
