# Modules that can be imported beside the interpreter's own.

#: core_models ; authentik.core.models ; models,thing
class _TsrTypes:
    INTERNAL = 'internal'
    EXTERNAL = 'external'
    SERVICE_ACCOUNT = 'service_account'
    INTERNAL_SERVICE_ACCOUNT = 'internal_service_account'


_tsr_modules['authentik.core.models'] = _TsrThing(
    User=User, Group=Group, UserTypes=_TsrTypes,
    USER_ATTRIBUTE_GENERATED='goauthentik.io/user/generated',
    USER_ATTRIBUTE_EXPIRES='goauthentik.io/user/expires',
    USER_ATTRIBUTE_DELETE_ON_LOGOUT='goauthentik.io/user/delete-on-logout',
    USER_ATTRIBUTE_SOURCES='goauthentik.io/user/sources',
    USER_ATTRIBUTE_TOKEN_EXPIRING='goauthentik.io/user/token-expires',
    USER_ATTRIBUTE_TOKEN_MAXIMUM_LIFETIME='goauthentik.io/user/token-maximum-lifetime',
    USER_ATTRIBUTE_CHANGE_USERNAME='goauthentik.io/user/can-change-username',
    USER_ATTRIBUTE_CHANGE_NAME='goauthentik.io/user/can-change-name',
    USER_ATTRIBUTE_CHANGE_EMAIL='goauthentik.io/user/can-change-email',
)


#: config ; authentik.lib.config ; thing
class _TsrConfig:
    def get(self, path, default=None):
        return default

    def get_bool(self, path, default=False):
        return default

    def get_int(self, path, default=0):
        return default


_tsr_modules['authentik.lib.config'] = _TsrThing(CONFIG=_TsrConfig())


#: policy_types ; authentik.policies.types ; thing,request,call_policy
_tsr_modules['authentik.policies.types'] = _TsrThing(PolicyRequest=PolicyRequest, PolicyResult=PolicyResult)


#: conf ; django.conf ; thing
_tsr_modules['django.conf'] = _TsrThing(settings=_TsrThing(USE_TZ=True, TIME_ZONE='UTC', DEBUG=False))


#: auth_models ; django.contrib.auth.models ; thing,models
_tsr_modules['django.contrib.auth.models'] = _TsrThing(AnonymousUser=AnonymousUser)


#: utils_text ; django.utils.text ; thing,slugify
_tsr_modules['django.utils.text'] = _TsrThing(slugify=slugify)


#: now ; timezone,time ; thing,dt
def _tsr_now():
    return _tsr_dt.datetime.now(_tsr_dt.timezone.utc)


def _tsr_epoch():
    return _tsr_now().timestamp()


_tsr_modules['django.utils.timezone'] = _TsrThing(now=_tsr_now)
_tsr_modules['django.utils'] = _TsrThing(timezone=_tsr_modules['django.utils.timezone'])


_tsr_modules['time'] = _TsrThing(time=_tsr_epoch)


#: ipaddress ; ipaddress ; thing,address
_tsr_modules['ipaddress'] = _TsrThing(ip_address=ip_address, ip_network=ip_network)


#: uuid_module ; uuid ; thing,uuid
_tsr_modules['uuid'] = _TsrThing(
    UUID=UUID, uuid5=_tsr_uuid5,
    NAMESPACE_DNS=UUID('6ba7b8109dad11d180b400c04fd430c8'),
    NAMESPACE_URL=UUID('6ba7b8119dad11d180b400c04fd430c8'),
    NAMESPACE_OID=UUID('6ba7b8129dad11d180b400c04fd430c8'),
    NAMESPACE_X500=UUID('6ba7b8149dad11d180b400c04fd430c8'),
)


#: import ; import ;
def _tsr_import(name, part=None):
    module = _tsr_modules[name]
    if part is None:
        return module
    if not hasattr(module, part):
        raise ImportError(f"cannot import name '{part}' from '{name}' (unknown location)")
    return getattr(module, part)
