"""Futu, through OpenD and futu-api."""
