"""The forms of log-in, passwords and the second factor: the library's, with their text cleaned as everywhere."""

from allauth.account import forms as account
from allauth.mfa.base import forms as mfa
from allauth.mfa.recovery_codes import forms as recovery_codes
from allauth.mfa.totp import forms as totp

from clinic.forms import Careful


class LogIn(Careful, account.LoginForm):
    pass


class ChangePassword(Careful, account.ChangePasswordForm):
    pass


class ResetPassword(Careful, account.ResetPasswordForm):
    pass


class ResetPasswordFromKey(Careful, account.ResetPasswordKeyForm):
    pass


class UserToken(Careful, account.UserTokenForm):
    pass


class Reauthenticate(Careful, account.ReauthenticateForm):
    pass


class SecondFactor(Careful, mfa.AuthenticateForm):
    pass


class SecondFactorAgain(Careful, mfa.ReauthenticateForm):
    pass


class GenerateRecoveryCodes(Careful, recovery_codes.GenerateRecoveryCodesForm):
    pass


class ActivateTOTP(Careful, totp.ActivateTOTPForm):
    pass


class DeactivateTOTP(Careful, totp.DeactivateTOTPForm):
    pass
