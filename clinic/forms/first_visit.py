"""The first administrator and program of a new clinic."""

from typing import Any

from crispy_forms.layout import Fieldset
from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from clinic.forms.careful import Careful, columns, lay_out
from clinic.models import User


class FirstVisitForm(Careful, forms.Form):
    """The first administrator and program of a new clinic."""

    program_name = forms.CharField(label="Name of the program", max_length=120)
    first_name = forms.CharField(max_length=150, widget=forms.TextInput(attrs={"autocomplete": "given-name"}))
    last_name = forms.CharField(max_length=150, widget=forms.TextInput(attrs={"autocomplete": "family-name"}))
    email = forms.EmailField(label="E-mail", widget=forms.EmailInput(attrs={"autocomplete": "email"}))
    username = forms.CharField(
        label="User name", max_length=150, validators=[User.username_validator],
        widget=forms.TextInput(attrs={"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}),
    )  # fmt: skip
    password = forms.CharField(widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}), help_text="At least 12 characters.")
    password_again = forms.CharField(widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lay_out(
            self,
            Fieldset("Program", "program_name"),
            Fieldset("Administrator", columns("first_name", "last_name"), "email", "username", columns("password", "password_again")),
        )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if "password" in values and "password_again" in values and values["password"] != values["password_again"]:
            self.add_error("password_again", "The two passwords differ.")
        elif values.get("password"):
            try:
                validate_password(values["password"])
            except ValidationError as error:
                self.add_error("password", error)
        return values

    def values(self) -> dict[str, Any]:
        return {name: value for name, value in self.cleaned_data.items() if name != "password_again"}
