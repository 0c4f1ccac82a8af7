"""The pages, for a browser with or without JavaScript, in English and French.

There is no cookie and no redirect: a token is in the body of an answer, and nowhere else.
"""
