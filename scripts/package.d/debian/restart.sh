# A running httpd that has the module enabled must start anew: reloading is not enough. One that is
# stopped stays so, and so does one whose configuration the other module would refuse.
restart_httpd() {
    [ -e /usr/share/apache2/apache2-maintscript-helper ] || return 0
    . /usr/share/apache2/apache2-maintscript-helper
    apache2_has_module http2 2>/dev/null || return 0
    pidof /usr/sbin/apache2 >/dev/null || return 0
    # What the helper asks before it acts on an upgrade.
    APACHE2_NEED_ACTION=1
    apache2_reload restart
}
