"""How a browser gets in: it shows the token once, in a form or a link, and keeps a cookie."""

from __future__ import annotations

from html import escape
from urllib.parse import parse_qs

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from foxtrot.core.logs import get_logger
from foxtrot.monitoring.access import Token
from foxtrot.monitoring.door import COOKIE, HOME, LOGIN

log = get_logger("foxtrot.monitoring")

_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>foxtrot</title><link rel="icon" href="data:,">
<style>
:root {{ color-scheme: light dark }}
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 0; min-height: 100vh; display: grid;
  place-items: center; background: light-dark(#f4f5f7, #14171c) }}
form {{ width: min(24rem, 90vw); padding: 2rem; border-radius: 12px; box-sizing: border-box;
  background: light-dark(#fff, #1d2229); box-shadow: 0 2px 12px #0002 }}
h1 {{ margin: 0 0 1rem; font-size: 1.3rem }}
input, button {{ width: 100%; padding: .6rem .8rem; margin: .4rem 0; font: inherit;
  border-radius: 8px; border: 1px solid #8888; box-sizing: border-box }}
button {{ background: #1d4ed8; color: #fff; border: 0; cursor: pointer }}
p {{ margin: .4rem 0; color: light-dark(#555, #aab); overflow-wrap: anywhere; font-size: .9rem }}
.wrong {{ color: light-dark(#b00020, #ff8a8a) }}
</style></head><body>
<form method="post" action="{action}" autocomplete="off">
<h1>foxtrot</h1>
{problem}<label for="token">Token</label>
<input id="token" name="token" type="password" required autofocus>
<button type="submit">Open</button>
<p>It is in the file {file} of the machine that runs foxtrot.</p>
</form></body></html>
"""


def entering(token: Token) -> APIRouter:
    """The routes of the login; who is let in is sent to the page."""
    router = APIRouter(include_in_schema=False)

    def judged(shown: str) -> Response:
        if not token.fits(shown):
            log.warning("monitor_login_refused")
            return _form(token, '<p class="wrong">That is not the token.</p>', 401)
        response = RedirectResponse(HOME, 303)
        response.set_cookie(COOKIE, token.cookie, path="/", httponly=True, samesite="strict")
        return response

    @router.get(LOGIN)
    async def show(request: Request) -> Response:
        shown = request.query_params.getlist("token")
        return judged(shown[0]) if len(shown) == 1 else _form(token)

    @router.post(LOGIN)
    async def enter(request: Request) -> Response:
        text = (await request.body()).decode("utf-8", "replace")
        try:
            shown = parse_qs(text, max_num_fields=8).get("token", [])
        except ValueError:
            shown = []
        return judged(shown[0].strip() if len(shown) == 1 else "")

    @router.get("/")
    async def root() -> Response:
        return RedirectResponse(HOME, 303)

    return router


def _form(token: Token, problem: str = "", status: int = 200) -> Response:
    file = escape(token.file.name)
    page = _PAGE.format(action=LOGIN, problem=problem, file=f"<code>{file}</code>")
    return HTMLResponse(page, status, {"cache-control": "no-store"})
