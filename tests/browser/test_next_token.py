"""The explorer of the next token in a real page: a slider acts while text is written, a click takes the text back."""

CELL = """\
from bmcourse import live
from bmcourse.recipes import load_gpt
live.next_token(*load_gpt())"""
TOKENS = ".widget-hbox > .widget-button[style*='height: calc(']"  # of the text


def test_sliders_act_while_text_is_written_and_a_click_goes_back(open_notebook):
    notebook = open_notebook("next_token.ipynb", [CELL])
    notebook.run_all()
    notebook.wait_done()
    page, tokens = notebook.page, notebook.page.locator(TOKENS)
    page.wait_for_selector(TOKENS)
    prompt = tokens.all_inner_texts()

    page.click("button:has-text('write 40')")
    page.wait_for_function(f"document.querySelectorAll(`{TOKENS}`).length > {len(prompt) + 2}")
    page.locator(".noUi-handle").first.press("Home")  # temperature 0: one token can be drawn
    page.wait_for_selector("text=/^1 of 1024 tokens can be drawn/")
    begun = tokens.count()
    page.wait_for_function(f"document.querySelectorAll(`{TOKENS}`).length > {begun + 2}")

    page.click("button:has-text('stop')")
    notebook.wait_answered()
    written = tokens.all_inner_texts()
    page.wait_for_timeout(500)  # five tokens would have come
    assert tokens.all_inner_texts() == written and written[: len(prompt)] == prompt

    tokens.nth(len(prompt)).click()
    page.wait_for_selector("text=Here stood")
    assert tokens.all_inner_texts() == prompt
    page.click("button:has-text('↩')")
    page.wait_for_function(f"document.querySelectorAll(`{TOKENS}`).length == {len(written)}")
    assert tokens.all_inner_texts() == written
    assert notebook.problems() == []
