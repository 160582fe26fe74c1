"""What mails say beside the words of pages (see `waitpoints.api.page.words`), in the same languages."""

from waitpoints.api.page import words

WORDS: dict[str, dict[str, str]] = {
    "en": {
        "reminder": "Reminder: {title}",
        "last": "One more answer is needed: {title}",
        "reminder_text": "This request is still waiting for an answer.",
        "last_text": "Others have already answered. One more answer can decide it.",
        "requested_by": "Requested by {name}",
        "open": "Open and answer",
        "by_link": "If the button does not work, open this link:",
        "anyone": "Anyone who has this link can answer. Please pass it on only to people who may.",
        "shortened": "This e-mail shows only part of the request. Open the page to read all of it.",
        "no_reply": "Please answer on the page: a reply to this e-mail does not count as an answer.",
    },
    "de": {
        "reminder": "Erinnerung: {title}",
        "last": "Es fehlt noch eine Antwort: {title}",
        "reminder_text": "Diese Anfrage wartet noch auf eine Antwort.",
        "last_text": "Andere haben bereits geantwortet. Eine weitere Antwort kann den Ausschlag geben.",
        "requested_by": "Angefragt von {name}",
        "open": "Öffnen und antworten",
        "by_link": "Falls die Schaltfläche nicht funktioniert, öffnen Sie diesen Link:",
        "anyone": "Wer diesen Link hat, kann antworten. Bitte geben Sie ihn nur an Personen weiter, die das dürfen.",
        "shortened": "Diese E-Mail zeigt nur einen Teil der Anfrage. Auf der Seite können Sie alles lesen.",
        "no_reply": "Bitte antworten Sie auf der Seite: Eine Antwort auf diese E-Mail zählt nicht.",
    },
    "fr": {
        "reminder": "Rappel : {title}",
        "last": "Il manque encore une réponse : {title}",
        "reminder_text": "Cette demande attend toujours une réponse.",
        "last_text": "D’autres personnes ont déjà répondu. Une réponse de plus peut suffire pour décider.",
        "requested_by": "Demandé par {name}",
        "open": "Ouvrir et répondre",
        "by_link": "Si le bouton ne fonctionne pas, ouvrez ce lien :",
        "anyone": "Toute personne qui a ce lien peut répondre. Ne le transmettez qu’aux personnes autorisées.",
        "shortened": "Cet e-mail ne montre qu’une partie de la demande. Ouvrez la page pour tout lire.",
        "no_reply": "Veuillez répondre sur la page : une réponse à cet e-mail n’est pas prise en compte.",
    },
    "es": {
        "reminder": "Recordatorio: {title}",
        "last": "Falta una respuesta: {title}",
        "reminder_text": "Esta solicitud sigue a la espera de una respuesta.",
        "last_text": "Otras personas ya han respondido. Una respuesta más puede ser decisiva.",
        "requested_by": "Solicitado por {name}",
        "open": "Abrir y responder",
        "by_link": "Si el botón no funciona, abra este enlace:",
        "anyone": "Cualquier persona que tenga este enlace puede responder. Compártalo solo con quien deba hacerlo.",
        "shortened": "Este correo muestra solo una parte de la solicitud. Abra la página para leerla entera.",
        "no_reply": "Responda en la página: una respuesta a este correo no cuenta.",
    },
    "ja": {
        "reminder": "リマインダー：{title}",
        "last": "あと1件の回答が必要です：{title}",
        "reminder_text": "このリクエストは、引き続き回答をお待ちしています。",
        "last_text": "ほかの人はすでに回答しています。あと1件の回答で決まる可能性があります。",
        "requested_by": "依頼者：{name}",
        "open": "開いて回答する",
        "by_link": "ボタンが機能しない場合は、次のリンクを開いてください。",
        "anyone": "このリンクがあれば、誰でも回答できます。回答してよい人以外には渡さないでください。",
        "shortened": "このメールにはリクエストの一部だけが表示されています。全体はページを開いてご確認ください。",
        "no_reply": "ページ上で回答してください。このメールに返信しても、回答にはなりません。",
    },
    "zh": {
        "reminder": "提醒：{title}",
        "last": "还需要一个回答：{title}",
        "reminder_text": "此请求仍在等待回答。",
        "last_text": "其他人已经回答，再有一个回答就可能作出决定。",
        "requested_by": "请求人：{name}",
        "open": "打开并回答",
        "by_link": "如果按钮无法使用，请打开此链接：",
        "anyone": "拥有此链接的任何人都可以回答。请只转发给有权回答的人。",
        "shortened": "本邮件只显示请求的一部分。请打开页面查看全部内容。",
        "no_reply": "请在页面上回答：回复本邮件不会被视为回答。",
    },
}


def said(language: str, word: str, **parts: object) -> str:
    """Return a sentence of mails or of pages with these parts."""
    sentences = WORDS[language] if word in WORDS[language] else words.WORDS[language]
    return sentences[word].format(**parts)
